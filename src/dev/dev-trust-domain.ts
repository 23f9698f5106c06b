import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import { isLoopbackHost } from '../base/http-url.ts';
import type { Logger } from '../base/logger.ts';
import type { Issuer } from '../config/issuer.ts';
import type { ListenAddress } from '../config/listen-address.ts';
import { listenOnTcp } from '../http/listener.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import { type Authority, createAuthority } from './authority.ts';
import { createSessions } from './aws/sessions.ts';
import { type CertificateAuthority, createCertificateAuthority } from './certificate-authority.ts';
import { startDelegatedIdentityServer } from './delegated-identity-server.ts';
import type { JwtKeyType } from './key-types.ts';
import { serveLocalModel } from './model/local-model.ts';
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
  /** Where the local AWS STS and the local model endpoint listen, on loopback. */
  readonly stsListen?: ListenAddress;
  readonly modelListen?: ListenAddress;
}

/** A port that the system picks. */
const ANY_PORT: ListenAddress = { host: '127.0.0.1', port: 0 };

/** A SPIFFE authority, its agent's admin socket, a local AWS STS and a local model endpoint, in this process. DEVELOPMENT ONLY. */
export interface DevTrustDomain {
  readonly authority: Authority;
  readonly certificateAuthority: CertificateAuthority;
  /** The path of the socket that speaks SPIRE's Delegated Identity API. */
  readonly spireSocket: string;
  readonly stsUrl: string;
  /** It answers as Amazon Bedrock does, to whoever signs with credentials of the local STS. */
  readonly modelUrl: string;
  close(): Promise<void>;
}

/**
 * Starts the embedded trust domain. It signs for whoever can open its socket, so its STS listens on loopback and its
 * socket lies in a folder that is this user's alone.
 * @throws SvidxError `usage_invalid` when the issuer is not on loopback; `config_invalid` when a port is taken
 */
export async function startDevTrustDomain(options: DevTrustDomainOptions): Promise<DevTrustDomain> {
  const { clock, logger, trustDomain, issuer } = options;
  if (!isLoopbackHost(new URL(issuer.url).hostname)) {
    throw new SvidxError(
      'usage_invalid',
      'the embedded trust domain is for development only: its issuer must be on loopback',
    );
  }
  const closers: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    for (const closeOne of closers.splice(0).reverse()) await closeOne();
  };
  try {
    closers.push(() => rm(options.folder, { recursive: true, force: true }));
    const sts = await listenOnTcp(options.stsListen ?? ANY_PORT, clock);
    closers.push(sts.close);
    const model = await listenOnTcp(options.modelListen ?? ANY_PORT, clock);
    closers.push(model.close);
    const authority = await createAuthority({
      clock,
      keyType: options.keyType,
      keyTtlMs: options.keyTtlMs,
      jwtIssuer: issuer.url,
    });
    closers.push(authority.close);
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
    closers.push(agent.close);
    const account = accountOf(options.policies, issuer.url);
    const sessions = createSessions(clock);
    serveLocalSts(sts, { clock, logger, sessions, account });
    serveLocalModel(model, { clock, logger, sessions, regions: async () => modelRegions(await account()) });
    return { authority, certificateAuthority, spireSocket, stsUrl: sts.url, modelUrl: model.url, close };
  } catch (error) {
    await close();
    throw error;
  }
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

function modelRegions({ roles }: LocalAccount): Set<string> {
  return new Set([...roles.values()].flatMap((role) => [...role.modelRegions]));
}
