import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import { isLoopbackHost } from '../base/http-url.ts';
import type { Logger } from '../base/logger.ts';
import type { Issuer } from '../config/issuer.ts';
import { listenOnTcp } from '../http/listener.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import { type Authority, createAuthority } from './authority.ts';
import { type CertificateAuthority, createCertificateAuthority } from './certificate-authority.ts';
import { startDelegatedIdentityServer } from './delegated-identity-server.ts';
import type { JwtKeyType } from './key-types.ts';
import type { RegistrationEntry } from './registration-entries.ts';
import { type LocalAccount, serveLocalSts } from './sts/local-sts.ts';
import { rolesForPolicies } from './sts/roles.ts';

export interface DevTrustDomainOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** A folder of its own, mode 0700; removed on close. */
  readonly folder: string;
  readonly trustDomain: TrustDomain;
  readonly issuer: Issuer;
  readonly keyType: JwtKeyType;
  /** Milliseconds. */
  readonly keyTtlMs: number;
  /** The registration entries in force now. */
  entries(): readonly RegistrationEntry[];
  /** The policies in force now, which the roles of the local AWS account and their audiences follow from. */
  policies(): PolicySet;
}

/** A SPIFFE authority, its agent's admin socket and a local AWS STS, in this process. DEVELOPMENT ONLY. */
export interface DevTrustDomain {
  readonly authority: Authority;
  readonly certificateAuthority: CertificateAuthority;
  /** The path of the socket that speaks SPIRE's Delegated Identity API. */
  readonly spireSocket: string;
  readonly stsUrl: string;
  close(): Promise<void>;
}

/**
 * Starts the embedded trust domain. It signs for whoever can open its socket, so its STS listens on loopback and its
 * socket lies in a folder that is this user's alone.
 * @throws SvidxError `usage_invalid` when the issuer is not on loopback
 */
export async function startDevTrustDomain(options: DevTrustDomainOptions): Promise<DevTrustDomain> {
  const { clock, logger, trustDomain, issuer } = options;
  if (!isLoopbackHost(new URL(issuer.url).hostname)) {
    throw new SvidxError(
      'usage_invalid',
      'the embedded trust domain is for development only: its issuer must be on loopback',
    );
  }
  const authority = await createAuthority({
    clock,
    keyType: options.keyType,
    keyTtlMs: options.keyTtlMs,
    jwtIssuer: issuer.url,
  });
  const certificateAuthority = createCertificateAuthority({ clock, trustDomain });
  const spireSocket = join(options.folder, 'spire-admin.sock');
  const agent = await startDelegatedIdentityServer({
    socketPath: spireSocket,
    trustDomain,
    authority,
    certificateAuthority,
    clock,
    entries: options.entries,
    caller: () => 'authorized',
  });
  const sts = await listenOnTcp({ host: '127.0.0.1', port: 0 }, clock);
  serveLocalSts(sts, { clock, logger, account: accountOf(options.policies, issuer.url) });
  return {
    authority,
    certificateAuthority,
    spireSocket,
    stsUrl: sts.url,
    async close() {
      authority.close();
      await agent.close();
      await sts.close();
      await rm(options.folder, { recursive: true, force: true });
    },
  };
}

/** The account that the policies need: made anew when they have changed. */
function accountOf(policies: () => PolicySet, issuer: string): () => Promise<LocalAccount> {
  const accounts = new WeakMap<PolicySet, LocalAccount>();
  return async () => {
    const set = policies();
    const account = accounts.get(set) ?? {
      providers: [{ issuer, clientIds: audiencesOf(set) }],
      roles: await rolesForPolicies(set, issuer),
    };
    accounts.set(set, account);
    return account;
  };
}

function audiencesOf(policies: PolicySet): string[] {
  const grants = policies.components.flatMap((component) => component.grants.map(({ grant }) => grant));
  return [...new Set(grants.filter(({ kind }) => kind === 'aws').map(({ audience }) => audience))];
}
