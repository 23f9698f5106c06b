import { type Clock, systemClock } from '../../src/base/clock.ts';
import type { VaultToken } from '../../src/credentials/credentials.ts';
import type { VaultGrant } from '../../src/credentials/grants/vault.ts';
import { type Authority, createAuthority } from '../../src/dev/authority.ts';
import { REQUEST_TIMEOUT_MS } from '../../src/exchange/http-client.ts';
import { createVaultExchanger } from '../../src/exchange/vault.ts';
import type { Audience } from '../../src/spiffe/audience.ts';
import { type JwtSvid, parseJwtSvidUnverified } from '../../src/spiffe/jwt-svid.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { createRecordingClock, type RecordingClock } from '../fakes/recording-clock.ts';
import { type FakeVault, startVault } from '../fakes/vault.ts';
import type { VaultMount, VaultRole } from '../fakes/vault-login.ts';
import type { TestCertificate } from './certificates.ts';
import { unaborted } from './delegated-identity.ts';
import { startIssuer } from './issuer.ts';

/** What the tokens are meant for; not the server's address, which no test knows beforehand. */
export const VAULT_AUDIENCE = 'https://vault.example.org';

export const API_ID = 'spiffe://example.org/team/api';

/** As deploy/vault/README.md has it, and a maximum of an hour. */
export const API_ROLE: VaultRole = {
  role_type: 'jwt',
  user_claim: 'sub',
  bound_audiences: [VAULT_AUDIENCE],
  bound_subject: API_ID,
  token_ttl: 20 * 60,
  token_max_ttl: 60 * 60,
};

/** Vault beside our issuer, whose published keys it fetches; the clock is everybody's. */
export interface VaultWorld {
  readonly vault: FakeVault;
  readonly clock: RecordingClock;
  readonly issuerUrl: string;
  readonly authority: Authority;
  /** Publishes the keys that the authority has now. */
  publish(): void;
  readonly grant: VaultGrant;
  /** The JWT-SVID of the component; anything else of it where a test says so. */
  mint(options?: { id?: string; audience?: Audience; ttl?: number }): Promise<JwtSvid>;
  /** One more exchanger, its waits in the clock's hands. */
  exchanger(): ReturnType<typeof createVaultExchanger>;
  /** One exchange by one exchanger that all of them share, whose waits between attempts take no time. */
  exchange(options?: { svid?: JwtSvid; grant?: Partial<VaultGrant>; previous?: VaultToken }): Promise<VaultToken>;
  /** Milliseconds of each of those waits. */
  readonly waits: readonly number[];
}

export interface VaultWorldOptions {
  /** Changes to the role `api`. */
  readonly role?: Partial<VaultRole>;
  /** Changes to the auth method. */
  readonly mount?: (issuerUrl: string) => Partial<VaultMount>;
  /** Makes it speak TLS. */
  readonly certificate?: TestCertificate;
}

export async function startVaultWorld(options: VaultWorldOptions = {}): Promise<VaultWorld> {
  const clock = createRecordingClock();
  const { issuer, bundles } = await startIssuer();
  const authority = await makeAuthority(clock, issuer.url);
  const publish = (): void => bundles.set(keysOf(authority));
  publish();
  const mount: VaultMount = {
    type: 'jwt',
    config: { jwks_url: `${issuer.url}/keys`, bound_issuer: issuer.url },
    roles: { api: { ...API_ROLE, ...options.role } },
    ...options.mount?.(issuer.url),
  };
  const vault = await startVault(clock, { [mount.type]: mount }, options.certificate);
  const grant: VaultGrant = Object.freeze({
    kind: 'vault',
    audience: VAULT_AUDIENCE,
    target: `${vault.url}/v1/auth/${mount.type}/role/api`,
    address: vault.url,
    role: 'api',
    mount: mount.type,
    method: mount.type,
    namespace: undefined,
    caFile: undefined,
  });
  const waits: number[] = [];
  const impatient: Clock = {
    now: clock.now,
    after(ms, callback) {
      if (ms === REQUEST_TIMEOUT_MS) return NO_TIMER;
      waits.push(ms);
      return systemClock.after(0, callback);
    },
  };
  const impatientExchanger = createVaultExchanger({ clock: impatient, random: () => 0.5 });
  const world: VaultWorld = {
    vault,
    waits,
    clock,
    issuerUrl: issuer.url,
    authority,
    publish,
    grant,
    mint: (request) => mintSvid(authority, request),
    exchanger: () => createVaultExchanger({ clock, random: () => 0.5 }),
    exchange: async ({ svid, grant: changes, previous } = {}) =>
      impatientExchanger.exchange(
        svid ?? (await world.mint()),
        { ...grant, ...changes },
        { signal: unaborted(), previous },
      ),
  };
  return world;
}

/** An authority whose tokens name this issuer, by this clock. */
export function makeAuthority(clock: Pick<Clock, 'now'>, jwtIssuer: string): Promise<Authority> {
  return createAuthority({
    // Its keys are not to rotate, and its timer is not to be among those that a test counts.
    clock: { now: clock.now, after: () => NO_TIMER },
    keyType: 'ec-p256',
    jwtIssuer,
    keyTtlMs: 365 * 24 * 3600_000,
  });
}

export async function mintSvid(
  authority: Authority,
  options: { id?: string; audience?: Audience; ttl?: number } = {},
): Promise<JwtSvid> {
  const { id = API_ID, audience = [VAULT_AUDIENCE], ttl = 300 } = options;
  const { token } = await authority.mint({ spiffeId: SpiffeId.parse(id), audience, ttl });
  return parseJwtSvidUnverified(token);
}

/** The public keys as an issuer publishes them. */
export function keysOf(authority: Authority): object[] {
  return JSON.parse(authority.jwkSet()).keys;
}

const NO_TIMER = { cancel: () => {} };
