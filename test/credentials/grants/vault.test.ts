import { describe, expect, test } from 'vitest';
import { grantSchema } from '../../../src/credentials/grant.ts';

const VAULT = { address: 'https://vault.example.org:8200', role: 'api-gateway' };

function parse(changes: object = {}, beside: object = {}): unknown {
  return grantSchema.parse({ vault: { ...VAULT, ...changes }, ...beside });
}

function problems(changes: object): string[] {
  const result = grantSchema.safeParse({ vault: { ...VAULT, ...changes } });
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('a grant of Vault', () => {
  test('names server and role; the rest is what Vault has by itself', () => {
    expect(parse()).toEqual({
      kind: 'vault',
      audience: VAULT.address,
      target: 'https://vault.example.org:8200/v1/auth/jwt/role/api-gateway',
      ...VAULT,
      mount: 'jwt',
      method: 'jwt',
      namespace: undefined,
      caFile: undefined,
    });
  });

  test('may say everything', () => {
    const all = { mount: 'teams/spire', namespace: 'org/payments', caFile: '/etc/vault/ca.pem' };
    expect(parse(all, { audience: 'vault' })).toMatchObject({
      ...all,
      audience: 'vault',
      target: 'https://vault.example.org:8200/v1/auth/teams/spire/role/api-gateway',
    });
  });

  test('of auth method spiffe has that for its mount, unless it says another', () => {
    expect(parse({ method: 'spiffe' })).toMatchObject({ method: 'spiffe', mount: 'spiffe' });
    expect(parse({ method: 'spiffe', mount: 'workloads' })).toMatchObject({ method: 'spiffe', mount: 'workloads' });
  });

  test.each(['https://vault', 'https://[2001:db8::1]:8200', 'http://127.0.0.1:8200', 'http://localhost:8200'])(
    'may be at %s',
    (address) => {
      expect(parse({ address })).toMatchObject({ address, audience: address });
    },
  );

  test.each<[string, object, string]>([
    ['no address', { address: undefined }, 'vault.address: Invalid input'],
    ['plain HTTP', { address: 'http://vault.example.org' }, 'vault.address: expected an https URL without path'],
    ['a slash at the end', { address: 'https://vault.example.org/' }, 'vault.address: expected an https URL'],
    ['a path', { address: 'https://vault.example.org/v1' }, 'vault.address: expected an https URL'],
    [
      'credentials in the address',
      { address: 'https://a:b@vault.example.org' },
      'vault.address: expected an https URL',
    ],
    ['no URL', { address: 'vault.example.org' }, 'vault.address: expected an https URL'],
    ['no role', { role: undefined }, 'vault.role: Invalid input'],
    ['an empty role', { role: '' }, 'vault.role: expected the name of a role'],
    ['a path for a role', { role: 'a/b' }, 'vault.role: expected the name of a role'],
    ['a role that ends a line', { role: 'a\n' }, 'vault.role: expected the name of a role'],
    ['another method', { method: 'kubernetes' }, 'vault.method: Invalid option'],
    ['an empty mount', { mount: '' }, 'vault.mount: expected the path of an auth method'],
    ['a mount with a slash at its end', { mount: 'jwt/' }, 'vault.mount: expected the path of an auth method'],
    ['a mount with one at its start', { mount: '/jwt' }, 'vault.mount: expected the path of an auth method'],
    ['a mount that climbs', { mount: 'jwt/../token' }, 'vault.mount: expected the path of an auth method'],
    ['a mount that stays', { mount: './jwt' }, 'vault.mount: expected the path of an auth method'],
    ['a mount with a query', { mount: 'jwt?x=y' }, 'vault.mount: expected the path of an auth method'],
    ['an escaped mount', { mount: 'jwt%2flogin' }, 'vault.mount: expected the path of an auth method'],
    ['an empty namespace', { namespace: '' }, 'vault.namespace: expected a namespace'],
    ['a namespace that ends a header', { namespace: 'a\r\nX-Vault-Token: b' }, 'vault.namespace: expected a namespace'],
    ['a file beside the policy', { caFile: 'ca.pem' }, 'vault.caFile: expected the absolute path of a PEM file'],
    ['a file with a line end', { caFile: '/ca\n.pem' }, 'vault.caFile: expected the absolute path of a PEM file'],
    ['a token', { token: 'hvs.x' }, 'vault: Unrecognized key: "token"'],
  ])('%s is refused', (_, changes, problem) => {
    expect(problems(changes)).toEqual([expect.stringContaining(problem)]);
  });
});
