import { describe, expect, test } from 'vitest';
import type { Credentials } from '../../src/credentials/credentials.ts';
import { secretsOf } from '../../src/credentials/credentials.ts';
import { formatCredentials } from '../../src/credentials/formats.ts';
import { FAKE_CREDENTIALS } from '../fakes/broker.ts';
import { accessToken, boundAccessToken, PROOF_KEY, vaultToken } from '../fakes/other-credentials.ts';
import { refusal } from '../support/errors.ts';

describe('credentials of other targets than AWS, for a shell', () => {
  test.each<[string, Credentials, string[]]>([
    ['Azure', accessToken('azure'), ["export AZURE_ACCESS_TOKEN='the-token-of-azure'"]],
    [
      'Google Cloud',
      accessToken('gcp'),
      ["export CLOUDSDK_AUTH_ACCESS_TOKEN='the-token-of-gcp'", "export GOOGLE_OAUTH_ACCESS_TOKEN='the-token-of-gcp'"],
    ],
    ['OAuth', accessToken('oauth'), ["export ACCESS_TOKEN='the-token-of-oauth'"]],
    [
      'Vault',
      vaultToken(undefined),
      ["export VAULT_ADDR='https://vault.example.org'", "export VAULT_TOKEN='the-token-of-vault'"],
    ],
    [
      'Vault in a namespace',
      vaultToken('teams/a'),
      [
        "export VAULT_ADDR='https://vault.example.org'",
        "export VAULT_TOKEN='the-token-of-vault'",
        "export VAULT_NAMESPACE='teams/a'",
      ],
    ],
  ])('%s: the variables that its tools read', (_, credentials, lines) => {
    expect(formatCredentials(credentials, 'env').split('\n')).toEqual(lines);
  });

  test('a token that is bound to a key is for no variable, and the refusal tells nothing', async () => {
    const error = await refusal(() => formatCredentials(boundAccessToken(), 'env'));
    expect(error).toMatchObject({ code: 'usage_invalid', message: expect.stringContaining('--format json') });
    expect(JSON.stringify([error.message, error.detail])).not.toMatch(/the-token|the-private-key/);
  });

  test('as JSON it has its key with it, as JSON text', () => {
    expect(JSON.parse(formatCredentials(boundAccessToken(), 'json'))).toEqual({
      kind: 'oauth',
      token: 'the-token-of-oauth',
      tokenType: 'DPoP',
      proofKey: PROOF_KEY,
      expiration: '2026-11-22T12:15:00.999Z',
    });
    expect(Object.keys(JSON.parse(formatCredentials(accessToken('oauth'), 'json')))).not.toContain('proofKey');
  });

  test.each([
    accessToken('azure'),
    accessToken('gcp'),
    accessToken('oauth'),
    boundAccessToken(),
    vaultToken(undefined),
  ])('$kind is no credential_process, which only AWS has, and the refusal tells nothing', async (credentials) => {
    const error = await refusal(() => formatCredentials(credentials, 'process'));
    expect(error).toMatchObject({ code: 'usage_invalid', message: expect.stringContaining(credentials.kind) });
    expect(JSON.stringify([error.message, error.detail])).not.toContain('the-token');
  });
});

describe('what no log may hold', () => {
  const revealed = (credentials: Credentials) => secretsOf(credentials).map((secret) => secret.reveal());

  test('is the token of any target, the key it is bound to, and of AWS all three parts', () => {
    expect(revealed(accessToken('gcp'))).toEqual(['the-token-of-gcp']);
    expect(revealed(boundAccessToken())).toEqual(['the-token-of-oauth', PROOF_KEY]);
    expect(revealed(vaultToken('a'))).toEqual(['the-token-of-vault']);
    expect(revealed(FAKE_CREDENTIALS)).toEqual(['ASIAEXAMPLEEXAMPLE00', 'the-secret-access-key', 'the-session-token']);
  });
});
