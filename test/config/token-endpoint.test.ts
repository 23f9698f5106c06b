import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Config, loadConfig } from '../../src/config/config.ts';
import { refusal } from '../support/errors.ts';
import { tempFolder } from '../support/temp.ts';

const SOCKET = { SPIRE_ADMIN_ENDPOINT_SOCKET: 'unix:///run/env/admin.sock' };

async function load(lines: string, issuer = 'https://oidc.example.org/td'): Promise<Config['tokenEndpoint']> {
  const file = join(await tempFolder(), 'svidx.yaml');
  await writeFile(file, `trustDomain: example.org\nissuer: ${issuer}\n${lines}\n`);
  const config = await loadConfig(file, SOCKET);
  return 'brokerSocket' in config ? config.tokenEndpoint : undefined;
}

/** What is said of a configuration with these lines, without the name of the file. */
async function problem(lines: string): Promise<string> {
  const error = await refusal(load(lines));
  expect(error.code).toBe('config_invalid');
  return error.message.replace(/^.*?svidx\.yaml:/, '');
}

describe('the token endpoint', () => {
  test('is not there unless it is asked for', async () => {
    expect(await load('')).toBeUndefined();
  });

  test('is below the issuer, its metadata between host and path, and its audience is the issuer', async () => {
    expect(await load('tokenEndpoint: {}')).toEqual({
      audience: 'https://oidc.example.org/td',
      url: 'https://oidc.example.org/td/token',
      path: '/td/token',
      metadataPath: '/.well-known/oauth-authorization-server/td',
    });
    expect(await load('tokenEndpoint: {}', 'https://oidc.example.org')).toEqual({
      audience: 'https://oidc.example.org',
      url: 'https://oidc.example.org/token',
      path: '/token',
      metadataPath: '/.well-known/oauth-authorization-server',
    });
  });

  test('may want another audience', async () => {
    expect(await load('tokenEndpoint: { audience: svid-exchange }')).toMatchObject({ audience: 'svid-exchange' });
  });

  test.each([
    ['tokenEndpoint: { audience: "" }', '3: tokenEndpoint.audience: expected an audience, not an empty text'],
    ['tokenEndpoint: { audience: [a, b] }', '3: tokenEndpoint.audience: expected string, received array'],
    ['tokenEndpoint: { evil: 1 }', '3: tokenEndpoint.evil: unknown key'],
    ['tokenEndpoint: true', '3: tokenEndpoint: expected object, received boolean'],
    [
      'tokenEndpoint: {}\njwksUri: https://keys.example.org/td/token',
      '4: jwksUri: expected another path: the token endpoint is there',
    ],
    [
      'jwksUri: https://keys.example.org/.well-known/oauth-authorization-server/td\ntokenEndpoint: {}',
      '3: jwksUri: expected another path: the token endpoint is there',
    ],
    [
      'bundle: { file: { path: /b } }\nbroker: { enabled: false }\ntokenEndpoint: {}',
      '5: tokenEndpoint: says nothing with "broker.enabled: false"',
    ],
    [
      'http: { listen: "0.0.0.0:8080" }\ntokenEndpoint: {}',
      '3: http.listen: expected a loopback address, or "tls", or "plainHttpBehindProxy: true" where a proxy terminates TLS',
    ],
  ])('with %j is refused', async (lines, expected) => {
    expect(await problem(lines)).toBe(expected);
  });
});
