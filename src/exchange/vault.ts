import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import type { Secret } from '../base/secret.ts';
import type { Credentials, VaultToken } from '../credentials/credentials.ts';
import type { VaultGrant } from '../credentials/grants/vault.ts';
import type { JwtSvid } from '../spiffe/jwt-svid.ts';
import { readCaFile } from './ca-file.ts';
import type { Exchanger } from './exchanger.ts';
import { describeError } from './http-client.ts';
import { createUpstream, type UpstreamRequest } from './upstream.ts';
import { type Lease, readVaultLease } from './vault-answer.ts';
import { vaultError } from './vault-errors.ts';

export interface VaultExchangerOptions {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
}

/** A renewal that brings less than this part of the lease that the login brought: the token nears its maximum TTL. */
const WORTH_KEEPING = 0.5;

/**
 * Login at Vault or OpenBao with a JWT-SVID: auth method `jwt`, or `spiffe` of Vault Enterprise. A token in hand that the
 * server prolongs is renewed; where that fails or brings little, a new login follows.
 *
 * The broker mints the JWT-SVID before either, so whoever has lost its identity renews nothing. Redirects are not followed: a
 * standby forwards requests itself unless that is turned off, and only then redirects (concepts, high availability).
 */
export function createVaultExchanger(options: VaultExchangerOptions): Exchanger<VaultGrant, VaultToken> {
  const upstream = createUpstream(options);
  /** Milliseconds that a token's login gave it: no part of the token, and gone with it. */
  const loginLeases = new WeakMap<VaultToken, number>();

  function ask(grant: VaultGrant, request: UpstreamRequest, secret: Secret, signal: AbortSignal): Promise<Lease> {
    return upstream.post(
      request,
      {
        read: (answer) => readVaultLease(answer, grant, [secret]),
        toError: (code, detail) =>
          vaultError(code, grant.caFile === undefined ? detail : `${detail} (trusting ${grant.caFile})`, [secret]),
      },
      signal,
    );
  }

  /** @returns `undefined` when there is nothing to renew, or nothing worth keeping came of it */
  async function renew(
    previous: Credentials | undefined,
    grant: VaultGrant,
    ca: string | undefined,
    signal: AbortSignal,
  ): Promise<VaultToken | undefined> {
    if (previous === undefined || !isOf(previous, grant) || !previous.renewable) return undefined;
    const loginLeaseMs = loginLeases.get(previous);
    if (loginLeaseMs === undefined) return undefined;
    try {
      const { token, leaseMs } = await ask(grant, renewRequest(previous, grant, ca), previous.token, signal);
      if (leaseMs < loginLeaseMs * WORTH_KEEPING) return undefined;
      loginLeases.set(token, loginLeaseMs);
      return token;
    } catch (error) {
      if (!(error instanceof SvidxError)) throw error;
      // Its role may be gone or its maximum reached: a login tells whether the identity still has what it asks for.
      return undefined;
    }
  }

  return {
    async exchange(subjectToken, grant, { signal, previous }) {
      const ca = grant.caFile === undefined ? undefined : await trusted(grant.caFile);
      const renewed = await renew(previous, grant, ca, signal);
      if (renewed !== undefined) return renewed;
      const { token, leaseMs } = await ask(grant, loginRequest(subjectToken, grant, ca), subjectToken.token, signal);
      loginLeases.set(token, leaseMs);
      return token;
    },
  };
}

function loginRequest({ token }: JwtSvid, grant: VaultGrant, ca: string | undefined): UpstreamRequest {
  const { mount, method, role } = grant;
  const url = `${grant.address}/v1/auth/${mount}/login`;
  const headers = commonHeaders(grant);
  if (method === 'jwt') return { url, headers, body: JSON.stringify({ role, jwt: token.reveal() }), ca };
  // HTTP API, auth method `spiffe`, login: the JWT-SVID is in the header, which the mount must let through.
  const authorization = { Authorization: `Bearer ${token.reveal()}` };
  return { url, headers: { ...headers, ...authorization }, body: JSON.stringify({ role, type: 'jwt' }), ca };
}

/** One attempt only: whatever it fails of, a login is next, and has three. */
function renewRequest({ token }: VaultToken, grant: VaultGrant, ca: string | undefined): UpstreamRequest {
  const headers = { ...commonHeaders(grant), 'X-Vault-Token': token.reveal() };
  return { url: `${grant.address}/v1/auth/token/renew-self`, headers, body: '{}', ca, attempts: 1 };
}

function commonHeaders({ namespace }: VaultGrant): Readonly<Record<string, string>> {
  return {
    'Content-Type': 'application/json',
    // HTTP API: agents and proxies of Vault may refuse requests without it.
    'X-Vault-Request': 'true',
    ...(namespace === undefined ? {} : { 'X-Vault-Namespace': namespace }),
  };
}

/** A token goes to no other server, and to no other namespace of it, than the one it is of. */
function isOf(previous: Credentials, { address, namespace }: VaultGrant): previous is VaultToken {
  return previous.kind === 'vault' && previous.address === address && previous.namespace === namespace;
}

/** The authorities in the file now: it may have been replaced since the last time. */
async function trusted(caFile: string): Promise<string> {
  try {
    return await readCaFile(caFile);
  } catch (error) {
    throw new SvidxError('exchange_request_rejected', 'the caFile of the grant holds no certificates to trust', {
      detail: `${caFile}: ${describeError(error)}`,
    });
  }
}
