import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/config.ts';
import { refusal } from '../support/errors.ts';
import { tempFolder } from '../support/temp.ts';

const TLS = 'tls: { certFile: tls/cert.pem, keyFile: /etc/key.pem }';
const ALLOW = 'allow: [{ spiffeId: "spiffe://example.org/host/a", components: [api] }]';

async function load(remoteHosts: string, rest = '') {
  const file = join(await tempFolder(), 'svidx.yaml');
  await writeFile(
    file,
    `trustDomain: example.org
issuer: https://oidc.example.org
spire: { adminSocket: "unix:///admin.sock" }
remoteHosts: { ${remoteHosts} }
${rest}`,
  );
  return { config: loadConfig(file, {}), folder: dirname(file), file };
}

async function problem(remoteHosts: string, rest?: string): Promise<string> {
  const { config, file } = await load(remoteHosts, rest);
  const { code, message } = await refusal(config);
  expect(code).toBe('config_invalid');
  return message.replaceAll(file, 'F');
}

describe('remoteHosts', () => {
  test('is read as written, its files from the folder of the configuration', async () => {
    const { config, folder } = await load(
      `listen: "0.0.0.0:8443", url: "https://svidx.example.org:8443", ${TLS}, ${ALLOW}`,
    );
    const read = await config;
    expect('remoteHosts' in read && JSON.parse(JSON.stringify(read.remoteHosts))).toEqual({
      listen: { host: '0.0.0.0', port: 8443 },
      url: 'https://svidx.example.org:8443',
      tls: { certFile: join(folder, 'tls/cert.pem'), keyFile: '/etc/key.pem' },
      allow: [{ spiffeId: 'spiffe://example.org/host/a', components: ['api'] }],
      requestsPerSecond: 1_000,
    });
  });

  test('may be of a federated trust domain, and needs no URL where its address is one', async () => {
    const allow = 'allow: [{ spiffeId: "spiffe://partner.example/h", components: [api, ledger] }]';
    const { config } = await load(`listen: "[2001:db8::1]:8443", ${TLS}, ${allow}, requestsPerSecond: 5`);
    expect(await config).toMatchObject({ remoteHosts: { url: undefined, requestsPerSecond: 5 } });
  });

  const host = (spiffeId: string, components = '[api]') =>
    `allow: [{ spiffeId: "${spiffeId}", components: ${components} }]`;
  test.each([
    ['no address', `${TLS}, ${ALLOW}`, 'remoteHosts.listen'],
    ['no certificate', `listen: "127.0.0.1:0", ${ALLOW}`, 'remoteHosts.tls'],
    ['half a certificate', `listen: "127.0.0.1:0", tls: { certFile: a }, ${ALLOW}`, 'remoteHosts.tls.keyFile'],
    ['nobody', `listen: "127.0.0.1:0", ${TLS}`, 'remoteHosts.allow'],
    ['an empty list', `listen: "127.0.0.1:0", ${TLS}, allow: []`, 'expected at least one host'],
    ['a bare ID', `listen: "127.0.0.1:0", ${TLS}, allow: ["spiffe://example.org/h"]`, 'remoteHosts.allow[0]'],
    [
      'no components',
      `listen: "127.0.0.1:0", ${TLS}, allow: [{ spiffeId: "spiffe://example.org/h" }]`,
      'allow[0].components',
    ],
    [
      'an empty list of components',
      `listen: "127.0.0.1:0", ${TLS}, ${host('spiffe://example.org/h', '[]')}`,
      'expected at least one component',
    ],
    [
      'a component twice',
      `listen: "127.0.0.1:0", ${TLS}, ${host('spiffe://example.org/h', '[api, api]')}`,
      'has an entry twice',
    ],
    [
      'a pattern of components',
      `listen: "127.0.0.1:0", ${TLS}, ${host('spiffe://example.org/h', '["*"]')}`,
      'expected a component name',
    ],
    ['a pattern of IDs', `listen: "127.0.0.1:0", ${TLS}, ${host('spiffe://example.org/host/*')}`, 'not "*"'],
    ['a trust domain', `listen: "127.0.0.1:0", ${TLS}, ${host('spiffe://example.org')}`, 'not of a trust domain'],
    ['an ID in capitals', `listen: "127.0.0.1:0", ${TLS}, ${host('spiffe://Example.org/h')}`, 'not "E"'],
    ['an unknown key', `listen: "127.0.0.1:0", ${TLS}, ${ALLOW}, trust: everybody`, 'trust'],
    [
      'an address that is none to connect to',
      `listen: "0.0.0.0:8443", ${TLS}, ${ALLOW}`,
      'remoteHosts.url: expected the URL that hosts have',
    ],
    ['the same in IPv6', `listen: "[::]:8443", ${TLS}, ${ALLOW}`, 'remoteHosts.url: expected the URL that hosts have'],
    ['a URL without TLS', `listen: "127.0.0.1:0", url: "http://127.0.0.1:1", ${TLS}, ${ALLOW}`, 'remoteHosts.url'],
    ['a URL with a path', `listen: "127.0.0.1:0", url: "https://a.example/x", ${TLS}, ${ALLOW}`, 'remoteHosts.url'],
    ['a URL with a slash', `listen: "127.0.0.1:0", url: "https://a.example/", ${TLS}, ${ALLOW}`, 'remoteHosts.url'],
  ])('%s is refused, by its place', async (_, text, expected) => {
    const message = await problem(text);
    expect(message).toMatch(/^F:4: /);
    expect(message).toContain(expected);
  });

  test('an ID twice is refused, with other components too', async () => {
    const twice =
      'allow: [{ spiffeId: "spiffe://a.example/h", components: [a] }, { spiffeId: "spiffe://a.example/h", components: [b] }]';
    expect(await problem(`listen: "127.0.0.1:0", ${TLS}, ${twice}`)).toBe(
      'F:4: remoteHosts.allow[1].spiffeId: is there twice',
    );
  });

  test('says nothing where there is no broker', async () => {
    const file = 'bundle: { file: { path: keys.json } }\nbroker: { enabled: false }';
    expect(await problem(`listen: "127.0.0.1:0", ${TLS}, ${ALLOW}`, file)).toContain('remoteHosts: says nothing with');
  });
});
