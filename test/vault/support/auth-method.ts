import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../src/base/clock.ts';
import { systemClock } from '../../../src/base/clock.ts';
import type { VaultToken } from '../../../src/credentials/credentials.ts';
import type { VaultGrant } from '../../../src/credentials/grants/vault.ts';
import type { Authority } from '../../../src/dev/authority.ts';
import { createVaultExchanger } from '../../../src/exchange/vault.ts';
import type { Audience } from '../../../src/spiffe/audience.ts';
import type { JwtSvid } from '../../../src/spiffe/jwt-svid.ts';
import { unaborted } from '../../support/delegated-identity.ts';
import { startIssuer } from '../../support/issuer.ts';
import { API_ID, keysOf, makeAuthority, mintSvid, VAULT_AUDIENCE } from '../../support/vault.ts';
import type { RealVault } from './real-vault.ts';

const ROLE_FILE = join(import.meta.dirname, '../../../deploy/vault/role.json');

/** An auth method of a real Vault, mounted for one test, that fetches the keys of our issuer. */
export interface AuthMethod {
  readonly mount: string;
  readonly grant: VaultGrant;
  readonly authority: Authority;
  /** What our issuer publishes. */
  readonly keysUrl: string;
  mint(options?: { id?: string; audience?: Audience; ttl?: number }): Promise<JwtSvid>;
  /** One exchange by one exchanger that all of them share, whose waits between attempts take no time. */
  exchange(options?: { svid?: JwtSvid; grant?: Partial<VaultGrant>; previous?: VaultToken }): Promise<VaultToken>;
}

export interface AuthMethodOptions {
  readonly namespace?: string;
  /** In place of the URL of the keys. */
  readonly config?: (issuerUrl: string, authority: Authority) => object;
  /** Changes to the role of deploy/vault/role.json, which is named `api`. */
  readonly role?: object;
}

let mounts = 0;

export async function enableAuthMethod(vault: RealVault, options: AuthMethodOptions = {}): Promise<AuthMethod> {
  mounts += 1;
  const mount = `jwt-${process.pid}-${mounts}`;
  const { namespace } = options;
  const { issuer, bundles } = await startIssuer();
  const authority = await makeAuthority(systemClock, issuer.url);
  bundles.set(keysOf(authority));
  const keysUrl = `${issuer.url}/keys`;
  const config = options.config?.(issuer.url, authority) ?? { jwks_url: keysUrl, bound_issuer: issuer.url };
  const role: object = JSON.parse(await readFile(ROLE_FILE, 'utf8'));
  await vault.write(`sys/auth/${mount}`, { type: 'jwt' }, namespace);
  await vault.write(`auth/${mount}/config`, config, namespace);
  const named = { bound_audiences: [VAULT_AUDIENCE], bound_subject: API_ID };
  await vault.write(`auth/${mount}/role/api`, { ...role, ...named, ...options.role }, namespace);
  const grant: VaultGrant = {
    kind: 'vault',
    audience: VAULT_AUDIENCE,
    target: `${vault.url}/v1/auth/${mount}/role/api`,
    address: vault.url,
    role: 'api',
    mount,
    method: 'jwt',
    namespace,
    caFile: vault.caFile,
  };
  const exchanger = createVaultExchanger({ clock: impatient, random: () => 0.5 });
  const mint: AuthMethod['mint'] = (request) => mintSvid(authority, request);
  return {
    mount,
    grant,
    authority,
    keysUrl,
    mint,
    exchange: async ({ svid, grant: changes, previous } = {}) =>
      exchanger.exchange(svid ?? (await mint()), { ...grant, ...changes }, { signal: unaborted(), previous }),
  };
}

/** Real time, in which waits of less than a second take none. */
const impatient: Clock = {
  now: systemClock.now,
  after: (ms, callback) => systemClock.after(ms < 1_000 ? 0 : ms, callback),
};
