import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { VaultGrant } from '../../src/credentials/grants/vault.ts';
import { unaborted } from '../support/delegated-identity.ts';
import { refusal } from '../support/errors.ts';
import { API_ROLE, startVaultWorld, VAULT_AUDIENCE } from '../support/vault.ts';

async function requestOf(grant: Partial<VaultGrant> = {}) {
  const world = await startVaultWorld();
  const svid = await world.mint();
  await world.exchange({ svid, grant }).catch(() => {});
  const [request] = world.vault.requests.all;
  if (request === undefined) throw new Error('expected a request');
  return { request, token: svid.token.reveal() };
}

describe('the login', () => {
  test('is a POST with role and token in its body, and the token nowhere else', async () => {
    const { request, token } = await requestOf();
    expect(request.method).toBe('POST');
    expect(request.path).toBe('/v1/auth/jwt/login');
    expect(JSON.parse(request.body)).toEqual({ role: 'api', jwt: token });
    expect(request.headers['content-type']).toBe('application/json');
    expect(request.headers['x-vault-request']).toBe('true');
    const elsewhere = JSON.stringify([request.path, request.headers]);
    expect(elsewhere).not.toMatch(/x-vault-token|x-vault-namespace|authorization/i);
    for (const part of token.split('.')) expect(elsewhere).not.toContain(part);
  });

  test('goes to the mount and the namespace of the grant', async () => {
    const { request } = await requestOf({ mount: 'teams/spire', namespace: 'org/payments' });
    expect(request.path).toBe('/v1/auth/teams/spire/login');
    expect(request.headers['x-vault-namespace']).toBe('org/payments');
  });

  test('at auth method spiffe has the token in its header', async () => {
    const { request, token } = await requestOf({ method: 'spiffe', mount: 'spiffe' });
    expect(request.path).toBe('/v1/auth/spiffe/login');
    expect(request.headers['authorization']).toBe(`Bearer ${token}`);
    expect(JSON.parse(request.body)).toEqual({ role: 'api', type: 'jwt' });
  });
});

describe('the token', () => {
  test('is the one that Vault gave, until its lease ends', async () => {
    const { vault, exchange, clock, grant } = await startVaultWorld();
    const token = await exchange();
    expect(token).toMatchObject({
      kind: 'vault',
      expiresAt: clock.now() + API_ROLE.token_ttl * 1000,
      address: grant.address,
      namespace: undefined,
      renewable: true,
    });
    expect([...vault.tokens.keys()]).toEqual([token.token.reveal()]);
    expect(Object.isFrozen(token)).toBe(true);
    expect(JSON.stringify(token)).not.toContain('hvs.');
  });

  test('of a batch says that it cannot be renewed', async () => {
    const { exchange } = await startVaultWorld({ role: { token_type: 'batch' } });
    const { token, renewable } = await exchange();
    expect(token.reveal()).toMatch(/^hvb\./);
    expect(renewable).toBe(false);
  });

  test('of a namespace names it', async () => {
    const world = await startVaultWorld();
    const { jwt } = world.vault.mounts;
    if (jwt !== undefined) world.vault.mounts['org/payments:jwt'] = { ...jwt, roles: { inner: API_ROLE } };
    const grant = { namespace: 'org/payments', role: 'inner' };
    expect(await world.exchange({ grant })).toMatchObject({ namespace: 'org/payments' });
    const outside = await refusal(world.exchange({ grant: { ...grant, namespace: undefined } }));
    expect(outside).toMatchObject({ code: 'exchange_request_rejected' });
    const unknown = await refusal(world.exchange({ grant: { ...grant, namespace: 'org/ledger' } }));
    expect(unknown).toMatchObject({ code: 'exchange_request_rejected', detail: 'HTTP 404, namespace not found' });
    const unmounted = await refusal(world.exchange({ grant: { ...grant, mount: 'oidc' } }));
    expect(unmounted).toMatchObject({ code: 'exchange_denied', detail: 'HTTP 403, permission denied' });
  });

  test.each([
    ['lets it through, and the pattern matches', true, 'team/*', undefined],
    ['does not let the header through', false, 'team/*', 'exchange_denied'],
    ['has another pattern', true, 'other/*', 'exchange_denied'],
  ] as const)(
    'of auth method spiffe is one like any other, if it %s',
    async (_, passthroughAuthorization, pattern, code) => {
      const { exchange } = await startVaultWorld({
        mount: (url) => ({
          type: 'spiffe',
          config: { jwks_url: `${url}/keys`, audience: [VAULT_AUDIENCE], trust_domain: 'example.org' },
          roles: { api: { token_ttl: 600, token_max_ttl: 600, workload_id_patterns: [pattern] } },
          passthroughAuthorization,
        }),
      });
      if (code === undefined) expect(await exchange()).toMatchObject({ renewable: true });
      else expect((await refusal(exchange())).code).toBe(code);
    },
  );
});

describe("the host's own configuration of Vault", () => {
  test.each<[string, Record<string, string>]>([
    ['another address', { VAULT_ADDR: 'http://127.0.0.1:9', VAULT_AGENT_ADDR: 'http://127.0.0.1:9' }],
    ['a token', { VAULT_TOKEN: 'hvs.of-the-host', BAO_TOKEN: 's.of-the-host' }],
    ['a namespace', { VAULT_NAMESPACE: 'elsewhere', BAO_NAMESPACE: 'elsewhere' }],
    ['wrapping', { VAULT_WRAP_TTL: '60s' }],
    ['a proxy', { HTTP_PROXY: 'http://127.0.0.1:9', http_proxy: 'http://127.0.0.1:9', NODE_USE_ENV_PROXY: '1' }],
  ])('does not change the request: %s', async (_, env) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());
    const { request } = await requestOf();
    expect(JSON.stringify(request.headers)).not.toMatch(/of-the-host|elsewhere|x-vault-token|namespace|wrap/i);
  });
});

describe('a token in hand', () => {
  test('is sent to no other server and no other namespace than the one it is of', async () => {
    const { exchange, vault } = await startVaultWorld();
    const other = await startVaultWorld();
    const previous = await exchange();
    await exchange({ previous, grant: { address: other.vault.url } }).catch(() => {});
    await exchange({ previous, grant: { namespace: 'org' } }).catch(() => {});
    expect([...vault.calls(), ...other.vault.calls()]).toEqual(['login', 'login', 'login']);
    expect(JSON.stringify([vault.requests.all, other.vault.requests.all])).not.toContain(previous.token.reveal());
    await exchange({ previous });
    expect(vault.calls()).toEqual(['login', 'login', 'renew']);
  });

  test('is not renewed where nothing is known of its lease', async () => {
    const { exchange, exchanger, mint, grant, vault } = await startVaultWorld();
    const previous = await exchanger().exchange(await mint(), grant, { signal: unaborted() });
    expect((await exchange({ previous })).token.reveal()).not.toBe(previous.token.reveal());
    expect(vault.calls()).toEqual(['login', 'login']);
  });
});
