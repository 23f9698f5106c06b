import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type IssuerConfig, loadConfig } from '../../src/config/config.ts';
import { refusal } from '../support/errors.ts';
import { tempFolder } from '../support/temp.ts';

const LEAST = 'trustDomain: example.org\nissuer: https://oidc.example.org/td\n';
const SOCKET = { SPIRE_ADMIN_ENDPOINT_SOCKET: 'unix:///run/env/admin.sock' };

async function load(lines: string): Promise<IssuerConfig> {
  const file = join(await tempFolder(), 'svidx.yaml');
  await writeFile(file, `${LEAST}${lines}\n`);
  return loadConfig(file, SOCKET);
}

/** What is said of a configuration with these lines, without the name of the file and the line. */
async function problem(lines: string): Promise<string> {
  const error = await refusal(load(lines));
  expect(error.code).toBe('config_invalid');
  return error.message.replace(/^.*?svidx\.yaml:\d+: /, '');
}

describe('where the keys are', () => {
  test('is below the issuer, or where jwksUri says', async () => {
    expect((await load('')).issuer).toMatchObject({
      keysUrl: 'https://oidc.example.org/td/keys',
      keysPath: '/td/keys',
    });
    const { issuer } = await load('jwksUri: https://keys.example.net/a/jwks.json');
    expect(issuer).toMatchObject({
      url: 'https://oidc.example.org/td',
      path: '/td',
      discoveryPath: '/td/.well-known/openid-configuration',
      keysUrl: 'https://keys.example.net/a/jwks.json',
      keysPath: '/a/jwks.json',
    });
  });

  test.each([
    ['http://keys.example.net/jwks', 'expected an https URL'],
    ['https://keys.example.net', 'expected a URL with a path'],
    ['https://keys.example.net/', 'expected a URL without a trailing slash'],
    ['https://keys.example.net/jwks?v=1', 'expected a URL without query and fragment'],
    ['https://keys.example.net/jwks#a', 'expected a URL without query and fragment'],
    ['https://u:p@keys.example.net/jwks', 'expected an https URL without credentials'],
    ['https://keys.example.net/a/../jwks', 'expected a URL with its path in normal form'],
    ['https://keys.example.net/livez', 'expected another path: health checks are there'],
    ['https://keys.example.net/readyz/bundles', 'expected another path: health checks are there'],
    [
      'https://keys.example.net/td/.well-known/openid-configuration',
      'expected another path: discovery documents are there',
    ],
    ['keys.example.net/jwks', 'expected an https URL without credentials'],
  ])('is not %s', async (url, expected) => {
    expect(await problem(`jwksUri: "${url}"`)).toBe(`jwksUri: ${expected}`);
  });
});

describe('the hosts that the issuer answers to', () => {
  test('are those of its URLs, in lower case and without ports, or those that are listed', async () => {
    expect((await load('')).hosts).toEqual(['oidc.example.org']);
    const both = await load('jwksUri: https://Keys.Example.net:8443/jwks');
    expect(both.hosts).toEqual(['oidc.example.org', 'keys.example.net']);
    expect((await load('http: { hosts: [Issuer.svc.cluster.local, "[2001:DB8::1]", 192.0.2.1] }')).hosts).toEqual([
      'issuer.svc.cluster.local',
      '[2001:db8::1]',
      '192.0.2.1',
    ]);
  });

  test.each([
    '',
    '*',
    '*.example.org',
    'example.org:443',
    'https://example.org',
    'example.org/path',
    'user@example.org',
    '2001:db8::1',
    '[2001:db8::1]:443',
    '[2001:0db8::1]',
    '192.0.2',
    '0x7f.1',
    'ex ample.org',
    'exämple.org',
    'example.org?',
    'example.org\\\\',
  ])('are not %j', async (host) => {
    expect(await problem(`http: { hosts: ["${host}"] }`)).toBe(
      'http.hosts[0]: expected the name of a host, without scheme and port',
    );
  });

  test('are not none', async () => {
    expect(await problem('http: { hosts: [] }')).toMatch(/^http\.hosts: Too small/);
  });
});

describe('TLS', () => {
  test('is spoken with files beside the configuration, also beyond loopback', async () => {
    const config = await load('http: { listen: "0.0.0.0:443", tls: { certFile: tls/a.crt, keyFile: /etc/a.key } }');
    expect(config.tls?.certFile).toMatch(/^\/.*\/tls\/a\.crt$/);
    expect(config.tls?.keyFile).toBe('/etc/a.key');
    expect((await load('')).tls).toBeUndefined();
  });

  test.each([
    ['{ certFile: a }', 'http.tls.keyFile: '],
    ['{ keyFile: a }', 'http.tls.certFile: '],
    ['{ certFile: a, keyFile: b, minVersion: TLSv1 }', 'http.tls.minVersion: unknown key'],
    ['{ certFile: "", keyFile: b }', 'http.tls.certFile: expected the path of a file'],
    ['{ certFile: a/, keyFile: b }', 'http.tls.certFile: expected the path of a file'],
    ['true', 'http.tls: expected object'],
  ])('is not %s', async (tls, expected) => {
    expect((await problem(`http: { tls: ${tls} }`)).startsWith(expected)).toBe(true);
  });

  test('and a proxy that terminates it exclude each other', async () => {
    expect(await problem('http: { plainHttpBehindProxy: true, tls: { certFile: a, keyFile: b } }')).toBe(
      'http.plainHttpBehindProxy: the listener speaks TLS: expected either this or "tls"',
    );
  });
});

describe('how much a client may ask', () => {
  test.each([
    ['', undefined],
    ['http: { plainHttpBehindProxy: true }', undefined],
    ['http: { tls: { certFile: a, keyFile: b } }', 100],
    ['http: { trustedProxies: [127.0.0.1] }', 100],
    ['http: { plainHttpBehindProxy: true, trustedProxies: [10.0.0.0/8] }', 100],
    ['http: { requestsPerSecond: 7 }', 7],
    ['http: { tls: { certFile: a, keyFile: b }, requestsPerSecond: 1000000 }', 1_000_000],
    ['http: { plainHttpBehindProxy: true, trustedProxies: ["::1"], requestsPerSecond: 1 }', 1],
  ])('with %j is %s', async (lines, expected) => {
    expect((await load(lines)).requestsPerSecond).toBe(expected);
  });

  test('is not limited for the proxy, as though it were one client', async () => {
    expect(await problem('http: { plainHttpBehindProxy: true, requestsPerSecond: 100 }')).toBe(
      'http.requestsPerSecond: all clients would share what the proxy may ask: expected "trustedProxies" too',
    );
  });

  test.each(['0', '-1', '1.5', '1000001', '"10"', '.inf'])('is not %s', async (value) => {
    expect(await problem(`http: { requestsPerSecond: ${value} }`)).toMatch(/^http\.requestsPerSecond: /);
  });

  test('trusts proxies by their networks', async () => {
    expect((await load('http: { trustedProxies: [10.0.0.0/8, "2001:db8::/32"] }')).trustedProxies).toEqual([
      { address: '10.0.0.0', prefix: 8, family: 'ipv4' },
      { address: '2001:db8::', prefix: 32, family: 'ipv6' },
    ]);
    expect((await load('')).trustedProxies).toEqual([]);
  });

  test.each(['0.0.0.0/0', 'proxy.example.org', '10.0.0.0/33'])('does not trust %s', async (range) => {
    expect(await problem(`http: { trustedProxies: [10.0.0.0/8, "${range}"] }`)).toBe(
      'http.trustedProxies[1]: expected an address or a network, such as 10.0.0.0/8',
    );
  });
});

describe('a listener for health checks', () => {
  test('is there when it is named', async () => {
    expect((await load('')).healthListen).toBeUndefined();
    expect((await load('health: { listen: "127.0.0.1:8081" }')).healthListen).toEqual({
      host: '127.0.0.1',
      port: 8081,
    });
  });

  test('stays on loopback, unless the configuration says otherwise by name', async () => {
    expect(await problem('health: { listen: "0.0.0.0:8081" }')).toBe(
      'health.listen: expected a loopback address, or "plainHttpBeyondLoopback: true"',
    );
    expect(await problem('http: { plainHttpBehindProxy: true }\nhealth: { listen: "[::]:8081" }')).toMatch(/^health/);
    const config = await load('health: { listen: "0.0.0.0:8081", plainHttpBeyondLoopback: true }');
    expect(config.healthListen).toEqual({ host: '0.0.0.0', port: 8081 });
  });

  test.each(['{ listen: 8081 }', '{ listen: "example.org:1" }', '{ port: 1 }', '[]'])('is not %s', async (value) => {
    expect(await problem(`health: ${value}`)).toMatch(/^health/);
  });
});

describe('the endpoints for SDKs', () => {
  test('are there when they have an address', async () => {
    expect(await load('')).not.toHaveProperty('endpoints');
    expect(await load('endpoints: { requestsPerSecond: 5 }')).not.toHaveProperty('endpoints');
    expect(await load('endpoints: { listen: "127.0.0.1:8081" }')).toMatchObject({
      endpoints: { listen: { host: '127.0.0.1', port: 8081 }, requestsPerSecond: 1_000 },
    });
    expect(await load('endpoints: { listen: "[::1]:0", requestsPerSecond: 5 }')).toMatchObject({
      endpoints: { listen: { host: '::1', port: 0 }, requestsPerSecond: 5 },
    });
  });

  test.each(['0.0.0.0:8081', '192.0.2.1:8081', '[::]:8081', '128.0.0.1:8081'])(
    'stay on loopback, whatever anybody writes: not %s',
    async (address) => {
      expect(await problem(`endpoints: { listen: "${address}" }`)).toBe(
        'endpoints.listen: expected a loopback address, such as 127.0.0.1:8081',
      );
    },
  );

  test('say nothing without a broker', async () => {
    const alone = 'broker: { enabled: false }\nbundle: { file: { path: /b } }\n';
    expect(await problem(`${alone}endpoints: { listen: "127.0.0.1:8081" }`)).toBe(
      'endpoints: says nothing with "broker.enabled: false"',
    );
  });
});
