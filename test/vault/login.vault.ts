import { createPublicKey } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import type { ErrorCode } from '../../src/base/errors.ts';
import type { VaultGrant } from '../../src/credentials/grants/vault.ts';
import type { Audience } from '../../src/spiffe/audience.ts';
import { createCertificate } from '../support/certificates.ts';
import { refusal } from '../support/errors.ts';
import { errorText, expectNoSecrets } from '../support/secrets.ts';
import { tempFolder } from '../support/temp.ts';
import { keysOf, makeAuthority, mintSvid } from '../support/vault.ts';
import { enableAuthMethod } from './support/auth-method.ts';
import { type RealVault, startRealVault } from './support/real-vault.ts';

describe.skipIf(inject('vault') === undefined)('the login at a real Vault or OpenBao', () => {
  let vault: RealVault;
  beforeAll(async () => {
    vault = await startRealVault();
    return vault.close;
  });

  test('gives a token that works, of the role in deploy/vault/, for as long as the role says', async () => {
    const { exchange, grant } = await enableAuthMethod(vault);
    const before = Date.now();
    const token = await exchange();
    expect(token).toMatchObject({ kind: 'vault', address: grant.address, renewable: true });
    expect(token.expiresAt).toBeGreaterThanOrEqual(before + 20 * 60_000);
    expect(token.expiresAt).toBeLessThanOrEqual(Date.now() + 20 * 60_000);
    const { status, text } = await vault.ask('GET', 'auth/token/lookup-self', { token: token.token.reveal() });
    expect(status).toBe(200);
    expect(JSON.parse(text).data).toMatchObject({
      policies: ['api-gateway', 'default'],
      creation_ttl: 1200,
      num_uses: 0,
    });
  });

  test.each<[string, (issuerUrl: string, keys: readonly object[]) => object]>([
    ['discovery', (url) => ({ oidc_discovery_url: url, bound_issuer: url })],
    ['public keys', (_, keys) => ({ jwt_validation_pubkeys: keys.map(pem) })],
  ])('with the keys by %s', async (_, config) => {
    const { exchange } = await enableAuthMethod(vault, {
      config: (url, authority) => config(url, keysOf(authority)),
    });
    expect((await exchange()).renewable).toBe(true);
  });

  test('with a glob in place of the subject', async () => {
    const bound = {
      bound_subject: '',
      bound_claims_type: 'glob',
      bound_claims: { sub: 'spiffe://example.org/team/*' },
    };
    const { exchange, mint } = await enableAuthMethod(vault, { role: bound });
    expect((await exchange()).renewable).toBe(true);
    expect((await exchange({ svid: await mint({ ttl: -50 }) })).renewable).toBe(true);
    const stranger = await mint({ id: 'spiffe://example.org/other/api' });
    expect(await refusal(exchange({ svid: stranger }))).toMatchObject({
      code: 'exchange_denied',
      detail: 'HTTP 400, error validating claims: claim "sub" does not match any associated bound claim values',
    });
  });

  test('of a batch token, which cannot be renewed', async () => {
    const { exchange } = await enableAuthMethod(vault, { role: { token_type: 'batch' } });
    expect((await exchange()).renewable).toBe(false);
  });

  interface Case {
    readonly name: string;
    readonly token?: { readonly id?: string; readonly audience?: Audience; readonly ttl?: number };
    readonly role?: object;
    readonly config?: object;
    readonly grant?: Partial<VaultGrant>;
    readonly code: ErrorCode;
    readonly says: string;
  }

  const INVALID = 'HTTP 400, error validating token: ';

  test.each<Case>([
    {
      name: 'another SPIFFE ID',
      token: { id: 'spiffe://example.org/team/ledger' },
      code: 'exchange_denied',
      says: `${INVALID}invalid subject (sub) claim`,
    },
    {
      name: 'an address that the role does not allow',
      role: { token_bound_cidrs: ['192.0.2.0/24'] },
      code: 'exchange_denied',
      says: 'HTTP 403, permission denied',
    },
    {
      name: 'another audience',
      token: { audience: ['sts.amazonaws.com'] },
      code: 'exchange_token_rejected',
      says: `${INVALID}invalid audience (aud) claim: audience claim does not match any expected audience`,
    },
    {
      name: 'a role without audiences',
      role: { bound_audiences: [] },
      code: 'exchange_token_rejected',
      says: 'HTTP 400, audience claim found in JWT but no audiences bound to the role',
    },
    {
      name: 'an expired token',
      token: { ttl: -120 },
      code: 'exchange_token_rejected',
      says: `${INVALID}invalid expiration time (exp) claim: token is expired`,
    },
    {
      name: 'a claim that the token has not',
      role: { user_claim: 'email' },
      code: 'exchange_token_rejected',
      says: 'HTTP 400, claim "email" not found in token',
    },
    {
      name: 'a role that does not exist',
      grant: { role: 'nobody' },
      code: 'exchange_request_rejected',
      says: 'HTTP 400, role "nobody" could not be found',
    },
    {
      name: 'a role of people',
      role: { role_type: 'oidc', allowed_redirect_uris: ['http://127.0.0.1/'] },
      code: 'exchange_request_rejected',
      says: 'HTTP 400, role with oidc role_type is not allowed',
    },
    {
      name: 'another mount',
      grant: { mount: 'elsewhere' },
      code: 'exchange_denied',
      says: 'HTTP 403, permission denied',
    },
    {
      name: 'another namespace',
      grant: { namespace: 'nowhere' },
      code: 'exchange_request_rejected',
      says: 'HTTP 404, namespace not found',
    },
    {
      name: 'limited uses',
      role: { token_num_uses: 3 },
      code: 'exchange_response_invalid',
      says: 'num_uses is 3',
    },
  ])('refuses $name', async ({ token, role, grant, code, says }) => {
    const { exchange, mint } = await enableAuthMethod(vault, role && { role });
    const svid = await mint(token);
    const error = await refusal(exchange({ svid, ...(grant && { grant }) }));
    expect(error).toMatchObject({ code, detail: expect.stringContaining(says) });
    expectNoSecrets(errorText(error), [svid.token.reveal()]);
  });

  test('refuses a token that is signed by somebody else', async () => {
    const { exchange, grant } = await enableAuthMethod(vault);
    const stranger = await makeAuthority(systemClock, grant.address);
    expect(await refusal(exchange({ svid: await mintSvid(stranger) }))).toMatchObject({
      code: 'exchange_token_rejected',
      detail: expect.stringContaining('error verifying token signature'),
    });
  });

  test('says when it cannot fetch our keys, and that passes', async () => {
    const { exchange, mount, keysUrl } = await enableAuthMethod(vault);
    const skip = { skip_jwks_validation: true };
    await vault.write(`auth/${mount}/config`, { jwks_url: 'http://127.0.0.1:1/keys', ...skip });
    const error = await refusal(exchange());
    expect(error).toMatchObject({ code: 'exchange_unavailable', detail: expect.stringContaining('fetching keys') });
    await vault.write(`auth/${mount}/config`, { jwks_url: keysUrl });
    expect((await exchange()).renewable).toBe(true);
  });

  test('asks for a second factor where it is told to, and that is a denial', async () => {
    const { exchange, mount } = await enableAuthMethod(vault);
    expect((await exchange()).renewable).toBe(true);
    const { text } = await vault.ask('GET', `sys/auth/${mount}`);
    const method = await vault.ask('POST', 'identity/mfa/method/totp', { body: { issuer: 'x' } });
    await vault.write(`identity/mfa/login-enforcement/${mount}`, {
      mfa_method_ids: [JSON.parse(method.text).data.method_id],
      auth_method_accessors: [JSON.parse(text).accessor ?? JSON.parse(text).data.accessor],
    });
    expect(await refusal(exchange())).toMatchObject({
      code: 'exchange_denied',
      message: expect.stringContaining('second factor'),
    });
  });

  test('is not made to a server of another authority', async () => {
    const { exchange } = await enableAuthMethod(vault);
    const caFile = join(await tempFolder(), 'ca.pem');
    await writeFile(caFile, createCertificate({ hosts: [] }).cert);
    const error = await refusal(exchange({ grant: { caFile } }));
    expect(error).toMatchObject({ code: 'exchange_unavailable', detail: expect.stringContaining(caFile) });
  });
});

function pem(jwk: object): string {
  return createPublicKey({ key: { ...jwk }, format: 'jwk' })
    .export({ type: 'spki', format: 'pem' })
    .toString();
}
