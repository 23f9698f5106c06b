import { describe, expect, test } from 'vitest';
import { createBroker } from '../../../src/broker/broker.ts';
import { createFakeClock } from '../../fakes/clock.ts';
import { createCountingUpstreams } from '../../fakes/counting-upstreams.ts';
import { createMemoryLog } from '../../fakes/log.ts';
import { findLeaks } from '../../support/find-leaks.ts';
import { ask, askRaw } from '../../support/http.ts';
import {
  API_POLICY,
  AZURE_VERSION,
  codeOf,
  compile,
  endpointsOf,
  LEDGER_CLIENT,
  LEDGER_POLICY,
  sessionWorldOf,
  startEndpoints,
} from '../../support/sdk-endpoints.ts';

describe('requests that no SDK makes', () => {
  test.each([
    ['the origin of a page', 'Origin', 'http://evil.example.org'],
    ['an origin of our own', 'Origin', 'null'],
    ['an empty origin', 'Origin', ''],
    ["a browser's word", 'Sec-Fetch-Site', 'same-origin'],
    ["a proxy's word", 'X-Forwarded-For', '127.0.0.1'],
    ['it in another case', 'x-FORWARDED-for', '::1'],
    ['an empty one', 'X-Forwarded-For', ''],
    ['the host before a proxy', 'X-Forwarded-Host', 'localhost'],
    ["the standard's word for both", 'Forwarded', 'for=127.0.0.1'],
    ['a gateway', 'Via', '1.1 proxy'],
  ])('are refused with %s', async (_, name, value) => {
    const { open, get, broker } = await startEndpoints();
    const { secret } = await open();
    const answer = await get('/aws/models', { Authorization: secret, [name]: value });
    expect({ status: answer.status, code: codeOf(answer) }).toEqual({ status: 400, code: 'request_invalid' });
    expect(Object.keys(answer.headers).filter((header) => header.startsWith('access-control'))).toEqual([]);
    expect(broker.asked).toEqual([]);
  });

  test('are refused for any host but our own address', async () => {
    const { open, get, url, broker } = await startEndpoints();
    const { secret } = await open();
    const { port, host } = new URL(url);
    for (const name of [
      'evil.example.org',
      `evil.example.org:${port}`,
      `localhost:${port}`,
      `127.0.0.2:${port}`,
      `[::1]:${port}`,
      '127.0.0.1',
      `127.0.0.1:${Number(port) + 1}`,
      `127.0.0.1.:${port}`,
      `0x7f.1:${port}`,
      `2130706433:${port}`,
      `127.0.0.1:${port}@evil.example.org`,
      `${host}.evil.example.org`,
    ]) {
      const answer = await get('/aws/models', { Authorization: secret, Host: name });
      expect({ status: answer.status, code: codeOf(answer) }, name).toEqual({ status: 421, code: 'host_unknown' });
    }
    expect(broker.asked).toEqual([]);
    expect((await get('/aws/models', { Authorization: secret, Host: host })).status).toBe(200);
  });

  test.each([
    ['no host', () => ''],
    ['two hosts', (host: string) => `Host: ${host}\r\nHost: ${host}\r\n`],
    ['two hosts, one of another', (host: string) => `Host: ${host}\r\nhost: evil.example.org\r\n`],
  ])('are refused with %s', async (_, hosts) => {
    const { open, url, broker } = await startEndpoints();
    const { secret } = await open();
    const head = `GET /aws/models HTTP/1.1\r\n${hosts(new URL(url).host)}Authorization: ${secret}\r\nConnection: close\r\n\r\n`;
    expect(await askRaw(url, head)).toContain('HTTP/1.1 400');
    expect(broker.asked).toEqual([]);
  });

  test('are refused in absolute form, which is for proxies', async () => {
    const { open, url, broker } = await startEndpoints();
    const { secret } = await open();
    const { host } = new URL(url);
    const head = `GET ${url}/aws/models HTTP/1.1\r\nHost: ${host}\r\nAuthorization: ${secret}\r\nConnection: close\r\n\r\n`;
    expect(await askRaw(url, head)).toMatch(/^HTTP\/1\.1 400.*request_invalid/s);
    expect(broker.asked).toEqual([]);
  });

  test('are refused with a body, which is not read', async () => {
    const { open, url, broker } = await startEndpoints();
    const { secret } = await open();
    const question = { path: '/aws/models', headers: { Authorization: secret, 'Content-Length': 3 }, body: 'abc' };
    const answer = await ask(url, question);
    expect(answer).toMatchObject({ status: 413, headers: { connection: 'close' } });
    expect(codeOf(answer)).toBe('request_too_large');
    expect(broker.asked).toEqual([]);
  });

  test('are refused with a hundred headers or a head of 8 KiB', async () => {
    const { open, get } = await startEndpoints();
    const { secret } = await open();
    const many = Object.fromEntries(Array.from({ length: 120 }, (_, index) => [`x-${index}`, '1']));
    expect((await get('/aws/models', { Authorization: secret, ...many })).status).toBe(413);
    expect((await get('/aws/models', { Authorization: secret, 'x-long': 'x'.repeat(9_000) })).status).toBe(431);
    expect((await get(`/aws/${'m'.repeat(9_000)}`, { Authorization: secret })).status).toBe(431);
  });
});

describe("another component's grants", () => {
  test('are out of reach by any spelling of names, paths, parameters and headers', async () => {
    const { open, get, broker } = await startEndpoints();
    const { secret } = await open();
    const { secret: ledger } = await open({ component: 'ledger' });
    const names = [
      'books',
      'Books',
      'BOOKS',
      '%62ooks',
      '%2562ooks',
      'boo%6Bs',
      'bооks',
      'books%20',
      'books%00',
      '+books',
    ];
    const around = [
      (name: string) => name,
      (name: string) => `${name}/`,
      (name: string) => `/${name}`,
      (name: string) => `models/../${name}`,
      (name: string) => `models%2f..%2f${name}`,
      (name: string) => `../ledger/${name}`,
      (name: string) => `ledger/${name}`,
      (name: string) => `ledger%2F${name}`,
      (name: string) => `./${name}`,
      (name: string) => `..%c0%af${name}`,
      (name: string) => `${name};component=ledger`,
      (name: string) => `${name}?component=ledger`,
      (name: string) => `models?grant=${name}`,
      (name: string) => `models#${name}`,
      (name: string) => `models\\..\\${name}`,
    ];
    const headers = {
      Authorization: secret,
      'X-Component': 'ledger',
      Component: 'ledger',
      'X-Original-URL': '/aws/books',
      'X-Rewrite-URL': '/aws/books',
      'X-HTTP-Method-Override': 'POST',
      'X-IDENTITY-HEADER': secret,
    };
    for (const name of names) {
      for (const write of around) {
        for (const path of [`/aws/${write(name)}`, `/gcp/${write(name)}/subject-token`]) {
          const asked = await get(path.replace(/[^\x21-\x7e]/g, encodeURIComponent), {
            ...headers,
            Authorization: path.startsWith('/gcp') ? `Bearer ${secret}` : secret,
          });
          expect([403, 404], path).toContain(asked.status);
          expect(['policy_denied', 'not_found'], path).toContain(codeOf(asked));
        }
      }
    }
    const vault = `${AZURE_VERSION}&resource=https%3A%2F%2Fvault.azure.net`;
    for (const query of [
      vault,
      `${vault}&client_id=${LEDGER_CLIENT}`,
      `${vault}&component=ledger`,
      `${vault}&grant=ledger-blobs`,
      `${AZURE_VERSION}&resource=https://vault.azure.net%00`,
      `${AZURE_VERSION}&resource=https://vault.azure.net%20`,
      `${AZURE_VERSION}&resource=https://storage.azure.com&client_id=${LEDGER_CLIENT}`,
      `${AZURE_VERSION}&resource=https%253A%252F%252Fvault.azure.net`,
    ]) {
      expect((await get(`/azure/token?${query}`, headers)).status, query).toBe(400);
    }
    expect(broker.asked).toEqual([]);
    // They are there, for the one whose they are.
    expect((await get('/aws/books', { Authorization: ledger })).status).toBe(200);
    expect(broker.asked).toEqual([{ caller: { component: 'ledger', session: ledger.slice(0, 22) }, grant: 'books' }]);
  });

  test('are out of reach when both have a grant of that name: each gets its own', async () => {
    const { open, aws, broker, setPolicies } = await startEndpoints();
    setPolicies(API_POLICY, LEDGER_POLICY.replace('books:', 'models:'));
    const [api, ledger] = [await open(), await open({ component: 'ledger' })];
    await aws(ledger.secret, 'models');
    await aws(api.secret, 'models');
    expect(broker.asked.map(({ caller }) => caller.component)).toEqual(['ledger', 'api']);
  });

  test('are out of reach on a connection that the other one has used', async () => {
    const { open, url } = await startEndpoints();
    const [api, ledger] = [await open(), await open({ component: 'ledger' })];
    const { host } = new URL(url);
    const line = (secret: string, end = '') =>
      `GET /aws/books HTTP/1.1\r\nHost: ${host}\r\nAuthorization: ${secret}\r\n${end}\r\n`;
    const raw = await askRaw(url, line(ledger.secret) + line(api.secret, 'Connection: close\r\n'));
    expect(raw.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 403']);
  });
});

describe('a policy change', () => {
  test('takes effect with the next request, there and back', async () => {
    const { open, aws, setPolicies } = await startEndpoints();
    const { secret } = await open();
    expect((await aws(secret, 'models')).status).toBe(200);
    setPolicies(LEDGER_POLICY);
    expect(codeOf(await aws(secret, 'models'))).toBe('policy_denied');
    setPolicies(API_POLICY);
    expect((await aws(secret, 'models')).status).toBe(200);
  });
});

describe('limits of one session', () => {
  test('a second has so many requests, in which no other session has fewer', async () => {
    const { open, aws, clock } = await startEndpoints({ requestsPerSecond: 3 });
    const [first, second] = [await open(), await open()];
    for (let time = 0; time < 3; time += 1) expect((await aws(first.secret, 'models')).status).toBe(200);
    const refused = await aws(first.secret, 'models');
    expect(refused).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
    expect(codeOf(refused)).toBe('rate_limited');
    expect((await aws(second.secret, 'models')).status).toBe(200);
    await clock.advance(1_000);
    expect((await aws(first.secret, 'models')).status).toBe(200);
  });

  test('requests without a session use up none of it', async () => {
    const { open, aws } = await startEndpoints({ requestsPerSecond: 1 });
    const { session, secret } = await open();
    for (let time = 0; time < 5; time += 1) {
      expect((await aws(`${session.id}.${'A'.repeat(43)}`, 'models')).status).toBe(401);
    }
    expect((await aws(secret, 'models')).status).toBe(200);
  });
});

test('1,000 simultaneous cold callers make one call upstream each, and nothing leaks', async () => {
  const clock = createFakeClock();
  const upstreams = await createCountingUpstreams(clock);
  const { logger, lines } = createMemoryLog();
  let policies = () => compile(API_POLICY, LEDGER_POLICY);
  const broker = createBroker({
    policies: () => policies(),
    svids: upstreams.svids,
    exchanger: upstreams.exchanger,
    clock,
    random: () => 0,
    logger,
    cacheSize: 100,
  });
  const world = await endpointsOf(sessionWorldOf(broker, clock));
  policies = world.policies;
  const secrets = await Promise.all(Array.from({ length: 4 }, async () => (await world.open()).secret));
  const answers = await Promise.all(
    Array.from({ length: 1_000 }, (_, index) => world.aws(secrets[index % 4] ?? '', 'models')),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  expect({ mints: upstreams.mints.all.length, exchanges: upstreams.exchanges.all.length }).toEqual({
    mints: 1,
    exchanges: 1,
  });
  const written = [...lines, ...world.log.lines].join('\n');
  expect(written).toContain('credentials.exchange');
  const distinct = [...new Set(written.split('\n').map((line) => line.replace(/"durationMs":\d+/, '')))].join('\n');
  expect(findLeaks(distinct, [...upstreams.secrets, ...secrets.map((secret) => secret.slice(23))])).toEqual([]);
});
