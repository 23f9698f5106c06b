import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/base/errors.ts';
import type { VaultGrant } from '../../src/credentials/grants/vault.ts';
import type { Audience } from '../../src/spiffe/audience.ts';
import type { VaultRole } from '../fakes/vault-login.ts';
import { refusal } from '../support/errors.ts';
import { errorText, expectNoSecrets } from '../support/secrets.ts';
import { API_ROLE, makeAuthority, mintSvid, startVaultWorld } from '../support/vault.ts';

interface Case {
  readonly name: string;
  readonly token?: { readonly id?: string; readonly audience?: Audience; readonly ttl?: number };
  readonly role?: Partial<VaultRole>;
  readonly grant?: Partial<VaultGrant>;
  readonly code: ErrorCode;
  readonly says: string;
}

const REFUSED: readonly Case[] = [
  {
    name: 'another SPIFFE ID',
    token: { id: 'spiffe://example.org/team/ledger' },
    code: 'exchange_denied',
    says: 'invalid subject (sub) claim',
  },
  {
    name: 'a SPIFFE ID that the glob does not match',
    role: {
      bound_claims: { sub: 'spiffe://example.org/x/*' },
      bound_claims_type: 'glob',
    },
    code: 'exchange_denied',
    says: 'claim "sub" does not match any associated bound claim values',
  },
  {
    name: 'a glob that is not one, as the role does not say so',
    role: { bound_claims: { sub: 'spiffe://example.org/team/*' } },
    code: 'exchange_denied',
    says: 'error validating claims',
  },
  {
    name: 'a claim that is bound and missing',
    role: { bound_claims: { '/region': ['eu'] } },
    code: 'exchange_denied',
    says: 'claim "/region" is missing',
  },
  {
    name: 'an address that the role does not allow',
    role: { token_bound_cidrs: ['192.0.2.0/24'] },
    code: 'exchange_denied',
    says: 'HTTP 403, permission denied',
  },
  {
    name: 'another mount',
    grant: { mount: 'elsewhere' },
    code: 'exchange_denied',
    says: 'HTTP 403, permission denied',
  },
  {
    name: 'another audience',
    token: { audience: ['sts.amazonaws.com'] },
    code: 'exchange_token_rejected',
    says: 'audience claim does not match any expected audience',
  },
  {
    name: 'a role without audiences',
    role: { bound_audiences: [] },
    code: 'exchange_token_rejected',
    says: 'no audiences bound to the role',
  },
  {
    name: 'an expired token',
    token: { ttl: -61 },
    code: 'exchange_token_rejected',
    says: 'token is expired',
  },
  {
    name: 'a token that has just expired, where no leeway is given',
    token: { ttl: -2 },
    role: { clock_skew_leeway: -1 },
    code: 'exchange_token_rejected',
    says: 'token is expired',
  },
  {
    name: 'a user claim that the token has not',
    role: { user_claim: 'email' },
    code: 'exchange_token_rejected',
    says: 'claim "email" not found in token',
  },
  {
    name: 'a role that does not exist',
    grant: { role: 'nobody' },
    code: 'exchange_request_rejected',
    says: 'role "nobody" could not be found',
  },
  {
    name: 'a role of people',
    role: { role_type: 'oidc' },
    code: 'exchange_request_rejected',
    says: 'role with oidc role_type is not allowed',
  },
];

describe('a Vault that checks tokens as Vault does', () => {
  test('lets in who the role names', async () => {
    const { exchange } = await startVaultWorld();
    expect((await exchange()).renewable).toBe(true);
  });

  test.each<[string, Partial<VaultRole>]>([
    ['any of a glob', { bound_claims: { sub: 'spiffe://example.org/*/api' }, bound_claims_type: 'glob' }],
    ['one of several', { bound_claims: { sub: ['spiffe://example.org/x', 'spiffe://example.org/team/api'] } }],
  ])('lets in %s', async (_, role) => {
    const { exchange } = await startVaultWorld({ role });
    expect((await exchange()).renewable).toBe(true);
  });

  test('lets in a token that expired within the leeway', async () => {
    const { exchange, mint } = await startVaultWorld();
    expect((await exchange({ svid: await mint({ ttl: -59 }) })).renewable).toBe(true);
  });

  test.each(REFUSED)('refuses $name, and is not asked again', async ({ token, role, grant, code, says }) => {
    const world = await startVaultWorld(role && { role });
    const svid = await world.mint(token);
    const error = await refusal(world.exchange({ svid, ...(grant && { grant }) }));
    expect(error).toMatchObject({ code, detail: expect.stringContaining(says) });
    expect(world.vault.calls()).toEqual(['login']);
    expectNoSecrets(errorText(error), [svid.token.reveal()]);
    expect(world.vault.tokens.size).toBe(0);
  });

  test('refuses a token of another issuer', async () => {
    const world = await startVaultWorld();
    const stranger = await makeAuthority(world.clock, world.issuerUrl);
    const error = await refusal(world.exchange({ svid: await mintSvid(stranger) }));
    expect(error).toMatchObject({
      code: 'exchange_token_rejected',
      detail: expect.stringContaining('error verifying token signature'),
    });
  });

  test('refuses a token that names another issuer, signed by the same keys', async () => {
    const bound_issuer = 'https://oidc.example.org';
    const { exchange } = await startVaultWorld({
      mount: (url) => ({ config: { jwks_url: `${url}/keys`, bound_issuer } }),
    });
    const error = await refusal(exchange());
    expect(error).toMatchObject({ code: 'exchange_token_rejected', detail: expect.stringContaining('(iss)') });
  });

  test('refuses a token of a key that is not published, and takes it when it is', async () => {
    const { exchange, authority, publish, mint } = await startVaultWorld();
    await authority.rotate();
    const svid = await mint();
    expect((await refusal(exchange({ svid }))).code).toBe('exchange_token_rejected');
    publish();
    expect((await exchange({ svid })).renewable).toBe(true);
  });

  test('refuses everybody until it is configured', async () => {
    const { exchange, vault } = await startVaultWorld();
    vault.mounts['jwt'] = { type: 'jwt', roles: { api: API_ROLE } };
    expect(await refusal(exchange())).toMatchObject({
      code: 'exchange_request_rejected',
      detail: 'HTTP 400, could not load configuration',
    });
  });

  test('finds our keys by discovery', async () => {
    const { exchange } = await startVaultWorld({ mount: (url) => ({ config: { oidc_discovery_url: url } }) });
    expect((await exchange()).renewable).toBe(true);
  });

  test.each([
    ['keys', 'jwks_url', 'fetching keys'],
    ['discovery', 'oidc_discovery_url', 'error configuring token validator'],
  ])('that cannot fetch our %s is in trouble that may pass', async (_, key, says) => {
    const { exchange, waits } = await startVaultWorld({ mount: () => ({ config: { [key]: 'http://127.0.0.1:1' } }) });
    expect(await refusal(exchange())).toMatchObject({
      code: 'exchange_unavailable',
      detail: expect.stringContaining(says),
    });
    expect(waits).toEqual([150, 300]);
  });

  test('that is sealed is in trouble that may pass', async () => {
    const { exchange, vault, waits } = await startVaultWorld();
    vault.sealed = true;
    expect(await refusal(exchange())).toMatchObject({
      code: 'exchange_unavailable',
      message: 'Vault cannot be reached, is sealed, or fails',
      detail: 'HTTP 503, Vault is sealed',
    });
    expect(waits).toEqual([150, 300]);
  });
});
