import { connect } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import { createFakeClock } from '../fakes/clock.ts';
import { ask, askRaw } from '../support/http.ts';
import { type RunningIssuer, startIssuer } from '../support/issuer.ts';
import { makeKey, type TestKey } from '../support/jwk.ts';

const DISCOVERY = '/.well-known/openid-configuration';
const KEYS = '/keys';
const url = 'https://oidc.example.org';

let key: TestKey;

beforeAll(async () => {
  key = await makeKey('ES256', 'a');
});

/** An issuer on an address beyond loopback, as far as it knows. */
function start(limits: Parameters<typeof startIssuer>[0] = {}): Promise<RunningIssuer> {
  return startIssuer({ keys: [key.jwk], url, ...limits, limits: { loopback: false, ...limits.limits } });
}

/** The status line and the code of what is answered to a request with these lines. */
async function raw({ server }: RunningIssuer, ...lines: string[]): Promise<[number, string | undefined]> {
  const answer = await askRaw(server, `${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`);
  return [Number(answer.split(' ')[1]), /"code":"([a-z_]+)"/.exec(answer)?.[1]];
}

const GOOD = [200, undefined];
const MISDIRECTED = [421, 'host_unknown'];
const MALFORMED = [400, 'request_invalid'];

describe('the host of a request', () => {
  test.each([DISCOVERY, KEYS])('must be one of the issuer: %s', async (path) => {
    const issuer = await start();
    for (const host of ['oidc.example.org', 'OIDC.Example.Org', 'oidc.example.org:443', 'oidc.example.org:8080']) {
      expect([host, await raw(issuer, `GET ${path} HTTP/1.1`, `Host: ${host}`)]).toEqual([host, GOOD]);
    }
    const others = [
      'example.org',
      'evil.example.org',
      'oidc.example.org.evil.example',
      'xoidc.example.org',
      'oidc.example.org.',
      '127.0.0.1',
      'localhost',
      '[::1]',
      '192.0.2.1:80',
    ];
    for (const host of others) {
      expect([host, await raw(issuer, `GET ${path} HTTP/1.1`, `Host: ${host}`)]).toEqual([host, MISDIRECTED]);
    }
  });

  test('is answered to with nothing of the documents, and nothing that anybody may keep', async () => {
    const { ask } = await start();
    const { status, headers, text } = await ask({ path: KEYS, headers: { Host: 'evil.example.org' } });
    expect([status, JSON.parse(text)]).toEqual([
      421,
      { code: 'host_unknown', message: 'the issuer does not answer to this host' },
    ]);
    expect(headers).toMatchObject({ 'cache-control': 'no-store' });
    expect(headers).not.toHaveProperty('etag');
  });

  test.each(['HEAD', 'POST', 'OPTIONS'])(
    'counts for %s as well, and at paths where there is nothing',
    async (method) => {
      const { ask } = await start();
      for (const path of [KEYS, '/', '/keys?a']) {
        expect((await ask({ method, path, headers: { Host: 'evil.example.org' } })).status).toBe(421);
      }
    },
  );

  test('counts before there is a key, too', async () => {
    const { ask } = await startIssuer({ url, limits: { loopback: false } });
    expect((await ask({ path: KEYS, headers: { Host: 'evil.example.org' } })).status).toBe(421);
    expect((await ask({ path: KEYS, headers: { Host: 'oidc.example.org' } })).status).toBe(503);
  });

  test.each([
    ['is missing', []],
    ['is there twice', ['Host: oidc.example.org', 'Host: oidc.example.org']],
    ['is there twice, in another case', ['Host: oidc.example.org', 'hOST: evil.example.org']],
    ['is empty', ['Host:']],
    ['is two', ['Host: oidc.example.org, evil.example.org']],
    ['has a user', ['Host: evil@oidc.example.org']],
    ['has a path', ['Host: oidc.example.org/keys']],
    ['has a port that is none', ['Host: oidc.example.org:x']],
    ['has two ports', ['Host: oidc.example.org:1:2']],
    ['has a letter that is not ASCII', ['Host: oidc.ex\u00e4mple.org']],
    ['is an IPv6 address without brackets', ['Host: ::1']],
  ])('is refused when it %s', async (_, lines) => {
    const issuer = await start();
    expect((await raw(issuer, `GET ${KEYS} HTTP/1.1`, ...lines))[0]).toBe(400);
    expect((await raw(issuer, `GET ${KEYS} HTTP/1.0`, ...lines))[0]).toBe(400);
  });

  test('is that of the target where the target is a whole URL, whatever Host says', async () => {
    const issuer = await start();
    const asked = (target: string, host: string) => raw(issuer, `GET ${target} HTTP/1.1`, `Host: ${host}`);
    expect(await asked(`http://oidc.example.org${KEYS}`, 'oidc.example.org')).toEqual(GOOD);
    expect(await asked(`https://oidc.example.org:443${KEYS}`, 'evil.example.org')).toEqual(GOOD);
    expect(await asked(`http://evil.example.org${KEYS}`, 'oidc.example.org')).toEqual(MISDIRECTED);
    expect(await asked(`HTTP://evil.example.org${KEYS}`, 'oidc.example.org')).toEqual(MISDIRECTED);
    expect(await asked(`http://oidc.example.org@evil.example.org${KEYS}`, 'oidc.example.org')).toEqual(MALFORMED);
    expect((await raw(issuer, `GET http://oidc.example.org${KEYS} HTTP/1.1`))[0]).toBe(400);
  });

  test('is not taken from any other header', async () => {
    const issuer = await start();
    const others = [
      'X-Forwarded-Host: oidc.example.org',
      'Forwarded: host=oidc.example.org',
      'X-Host: oidc.example.org',
    ];
    expect(await raw(issuer, `GET ${KEYS} HTTP/1.1`, 'Host: evil.example.org', ...others)).toEqual(MISDIRECTED);
    const evil = others.map((line) => line.replace('oidc', 'evil'));
    expect(await raw(issuer, `GET ${KEYS} HTTP/1.1`, 'Host: oidc.example.org', ...evil)).toEqual(GOOD);
  });

  test('may be a loopback name on a loopback address, and no other name that leads there', async () => {
    const issuer = await start({ limits: { loopback: true } });
    for (const host of ['localhost', '127.0.0.1:8080', '127.9.9.9', '[::1]:8080', 'oidc.example.org']) {
      expect([host, await raw(issuer, `GET ${KEYS} HTTP/1.1`, `Host: ${host}`)]).toEqual([host, GOOD]);
    }
    for (const host of ['rebound.example.org', 'localhost.example.org', '127.0.0.1.example.org', '128.0.0.1']) {
      expect([host, await raw(issuer, `GET ${KEYS} HTTP/1.1`, `Host: ${host}`)]).toEqual([host, MISDIRECTED]);
    }
  });

  test('may be any of those that are configured, and then not that of the issuer', async () => {
    const issuer = await start({ limits: { hosts: ['issuer.svc.cluster.local', '192.0.2.1', '[2001:db8::1]'] } });
    for (const host of ['issuer.svc.cluster.local', '192.0.2.1:80', '[2001:DB8::1]:80']) {
      expect([host, await raw(issuer, `GET ${KEYS} HTTP/1.1`, `Host: ${host}`)]).toEqual([host, GOOD]);
    }
    expect(await raw(issuer, `GET ${KEYS} HTTP/1.1`, 'Host: oidc.example.org')).toEqual(MISDIRECTED);
  });
});

describe('keys on another host', () => {
  const jwksUri = 'https://keys.example.net/td/jwks.json';

  test('are named by the discovery document and served at their path and at the usual one', async () => {
    const issuer = await start({ jwksUri });
    const asked = (host: string, path: string) => issuer.ask({ path, headers: { Host: host } });
    expect(JSON.parse((await asked('oidc.example.org', DISCOVERY)).text)).toMatchObject({
      issuer: url,
      jwks_uri: jwksUri,
    });
    const keys = await asked('keys.example.net', '/td/jwks.json');
    expect([keys.status, JSON.parse(keys.text).keys[0].kid]).toEqual([200, 'a']);
    expect((await asked('oidc.example.org', KEYS)).text).toBe(keys.text);
    expect((await asked('keys.example.net', '/td/keys')).status).toBe(404);
    expect((await asked('other.example.net', '/td/jwks.json')).status).toBe(421);
  });

  test('are 503 at both paths while there is none, and take no other method', async () => {
    const issuer = await start({ jwksUri, keys: [] });
    const headers = { Host: 'keys.example.net' };
    for (const path of ['/td/jwks.json', KEYS]) {
      expect((await issuer.ask({ path, headers })).status).toBe(503);
      expect((await issuer.ask({ method: 'POST', path, headers })).status).toBe(405);
    }
  });
});

describe('a request with a body', () => {
  const HOST = 'Host: oidc.example.org';

  test.each([
    ['GET', 'Content-Length: 1'],
    ['HEAD', 'Content-Length: 1'],
    ['POST', 'Content-Length: 99999999999'],
    ['GET', 'Transfer-Encoding: chunked'],
  ])('%s with %s is refused, and its connection closed', async (method, header) => {
    const issuer = await start();
    const answer = await askRaw(issuer.server, `${method} ${KEYS} HTTP/1.1\r\n${HOST}\r\n${header}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toMatch(/^connection: close\r$/im);
  });

  test('is not read, however much there is of it', async () => {
    const issuer = await start();
    const socket = connect(Number(new URL(issuer.server).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.write(`GET ${KEYS} HTTP/1.1\r\n${HOST}\r\nContent-Length: 1000000000\r\n\r\n`);
    const chunk = Buffer.alloc(1024 * 1024);
    let sent = 0;
    const more = (): void => {
      while (!socket.destroyed && socket.write(chunk)) sent += chunk.length;
    };
    socket.on('drain', more);
    more();
    socket.resume();
    await new Promise((resolve) => socket.on('close', resolve));
    expect(sent).toBeLessThan(100 * chunk.length);
  });

  test('of no length is none', async () => {
    expect(await raw(await start(), `GET ${KEYS} HTTP/1.1`, HOST, 'Content-Length: 0')).toEqual(GOOD);
  });
});

describe('a request that is too large', () => {
  const HOST = 'Host: oidc.example.org';
  const headers = (count: number): string[] => Array.from({ length: count }, (_, index) => `X-${index}: y`);

  test('is refused with over 100 headers', async () => {
    const issuer = await start();
    // Host and Connection count as well.
    expect(await raw(issuer, `GET ${KEYS} HTTP/1.1`, HOST, ...headers(98))).toEqual(GOOD);
    expect(await raw(issuer, `GET ${KEYS} HTTP/1.1`, HOST, ...headers(99))).toEqual([413, 'request_too_large']);
    expect(await raw(issuer, `GET ${KEYS} HTTP/1.1`, HOST, ...headers(600))).toEqual([413, 'request_too_large']);
  });

  test('is refused with a head of over 8 KiB, its URL included', async () => {
    const issuer = await start();
    expect((await raw(issuer, `GET ${KEYS}?${'q'.repeat(7_000)} HTTP/1.1`, HOST))[0]).toBe(200);
    expect((await raw(issuer, `GET ${KEYS}?${'q'.repeat(9_000)} HTTP/1.1`, HOST))[0]).toBe(431);
    expect((await raw(issuer, `GET ${KEYS} HTTP/1.1`, HOST, `X: ${'y'.repeat(9_000)}`))[0]).toBe(431);
  });
});

describe('a client that asks too often', () => {
  const trustedProxies = [{ address: '127.0.0.0', prefix: 8, family: 'ipv4' }] as const;
  const asClient = (address: string) => ({
    path: KEYS,
    headers: { Host: 'oidc.example.org', 'X-Forwarded-For': address },
  });

  test('is told when to ask again, and may then', async () => {
    const clock = createFakeClock();
    const { ask } = await start({ limits: { clock, requestsPerSecond: 2 } });
    const question = { path: KEYS, headers: { Host: 'oidc.example.org' } };
    expect((await ask(question)).status).toBe(200);
    expect((await ask(question)).status).toBe(200);
    const { status, headers, text } = await ask(question);
    expect([status, JSON.parse(text)]).toEqual([
      429,
      { code: 'rate_limited', message: 'too many requests from this client' },
    ]);
    expect(headers).toMatchObject({ 'retry-after': '1', 'cache-control': 'no-store' });
    await clock.advance(1_000);
    expect((await ask(question)).status).toBe(200);
  });

  test('pays for what is refused and for what is not there, too', async () => {
    const { ask } = await start({ limits: { clock: createFakeClock(), requestsPerSecond: 3 } });
    expect((await ask({ path: KEYS, headers: { Host: 'evil.example.org' } })).status).toBe(421);
    expect((await ask({ path: '/none', headers: { Host: 'oidc.example.org' } })).status).toBe(404);
    expect((await ask({ method: 'POST', path: KEYS, headers: { Host: 'oidc.example.org' } })).status).toBe(405);
    expect((await ask({ path: KEYS, headers: { Host: 'oidc.example.org' } })).status).toBe(429);
  });

  test('costs others nothing, where our proxy says who asks', async () => {
    const { ask } = await start({ limits: { clock: createFakeClock(), requestsPerSecond: 1, trustedProxies } });
    expect((await ask(asClient('192.0.2.1'))).status).toBe(200);
    expect((await ask(asClient('192.0.2.1'))).status).toBe(429);
    expect((await ask(asClient('192.0.2.2'))).status).toBe(200);
    expect((await ask(asClient('198.51.100.1, 192.0.2.1'))).status).toBe(429);
  });

  test('cannot pass for another one by saying so', async () => {
    const { ask } = await start({ limits: { clock: createFakeClock(), requestsPerSecond: 1 } });
    expect((await ask(asClient('192.0.2.1'))).status).toBe(200);
    expect((await ask(asClient('192.0.2.2'))).status).toBe(429);
  });

  test('is one client within its IPv6 network', async () => {
    const { ask } = await start({ limits: { clock: createFakeClock(), requestsPerSecond: 1, trustedProxies } });
    expect((await ask(asClient('2001:db8:0:1::1'))).status).toBe(200);
    expect((await ask(asClient('2001:db8:0:1:ffff::2'))).status).toBe(429);
    expect((await ask(asClient('2001:db8:0:2::1'))).status).toBe(200);
  });

  test('is not counted where there is no limit', async () => {
    const { server } = await start();
    const question = { path: KEYS, headers: { Host: 'oidc.example.org' } };
    const statuses = await Promise.all(Array.from({ length: 300 }, async () => (await ask(server, question)).status));
    expect(new Set(statuses)).toEqual(new Set([200]));
  });
});
