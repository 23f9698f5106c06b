import { rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { TrustDomain } from '../../../src/spiffe/trust-domain.ts';
import { bundleDocument, type EndpointWorld, openEndpoint } from '../../support/bundle-endpoint.ts';
import { publicJwk } from '../../support/signing-keys.ts';

/** A world whose endpoint has answered with a bundle of the key `a`; from then on with `answer`. */
async function withBundle(members: object = {}): Promise<EndpointWorld & { answer: string }> {
  const answers = { answer: bundleDocument(['a'], members) };
  const world = await openEndpoint({ handle: (_, response) => void response.end(answers.answer) });
  await world.nextWait();
  expect(world.keys()).toEqual(['a']);
  return Object.assign(answers, world);
}

describe('a bundle is taken', () => {
  test('with the keys for JWT-SVIDs and no others (Trust Domain and Bundle 4.2.2)', async () => {
    const key = publicJwk('example.org/ec-p256');
    const keys = [
      { kid: 'good', use: 'jwt-svid', ...key },
      { kid: 'without use', ...key },
      { kid: 'OIDC', use: 'sig', ...key },
      { kid: 'X.509', use: 'x509-svid', ...key },
      { kid: 'WIT', use: 'wit-svid', ...key },
      { kid: 'case', use: 'JWT-SVID', ...key },
      { kid: 'type', use: 'jwt-svid', kty: 'OKP' },
      { use: 'jwt-svid', ...key },
    ];
    const world = await openEndpoint({ handle: (_, response) => void response.end(JSON.stringify({ keys })) });
    await world.nextWait();
    expect(world.keys()).toEqual(['good']);
    expect(world.logged('bundles.changed')).toMatchObject([{ bundles: [{ skippedKeys: 7 }] }]);
    expect(world.source.health()).toEqual({
      state: 'up',
      reason: 'the bundle endpoint answers',
      lastGoodAt: world.clock.now(),
    });
  });

  test('as that of our own trust domain, whatever it says', async () => {
    const world = await openEndpoint({
      handle: (_, response) => void response.end(bundleDocument(['a'], { trust_domain: 'other.example' })),
    });
    await world.nextWait();
    expect(world.keys()).toEqual(['a']);
    expect(world.source.get(TrustDomain.parse('other.example'))).toBeUndefined();
  });

  test('on a new connection each time, by a plain GET', async () => {
    const asked: unknown[] = [];
    const world = await openEndpoint({
      path: '/a?b=c',
      handle: ({ method, url, headers }, response) => {
        asked.push([method, url, headers.accept, headers.cookie, headers.authorization]);
        response.end(bundleDocument(['a']));
      },
    });
    await world.nextWait();
    await world.poll();
    expect(asked).toEqual(Array(2).fill(['GET', '/a?b=c', 'application/json', undefined, undefined]));
    expect(world.server.connections).toBe(2);
  });

  test('again when it changes, and the change is told once', async () => {
    const world = await withBundle();
    let changes = 0;
    world.source.onChange(() => {
      changes += 1;
    });
    await world.poll();
    expect(changes).toBe(0);
    world.answer = bundleDocument(['a', 'b'], { spiffe_sequence: 2 });
    await world.poll();
    expect([world.keys(), changes]).toEqual([['a', 'b'], 1]);
  });

  test.each([
    ['no key', []],
    ['no key for JWT-SVIDs', [{ use: 'x509-svid', kty: 'EC' }]],
  ])('with %s: then nothing is trusted any more (4.1.3)', async (_, keys) => {
    const world = await withBundle();
    world.answer = JSON.stringify({ keys, spiffe_sequence: 2 });
    await world.poll();
    expect(world.keys()).toEqual([]);
    expect(world.source.health()).toMatchObject({ state: 'down', code: 'bundle_unavailable' });
  });
});

describe('it is asked again', () => {
  test.each([
    [{ spiffe_refresh_hint: 600 }, 600],
    [{ spiffe_refresh_hint: undefined }, 300],
    [{ spiffe_refresh_hint: 1 }, 10],
    [{ spiffe_refresh_hint: 86_400 }, 3600],
    [{ spiffe_refresh_hint: 0 }, 300],
    [{ spiffe_refresh_hint: -5 }, 300],
    [{ spiffe_refresh_hint: 1.5 }, 300],
    [{ spiffe_refresh_hint: '600' }, 300],
    [{ spiffe_refresh_hint: 1e300 }, 300],
    [{ spiffe_refresh_hint: null }, 300],
  ])('%j: after %d seconds (Federation 4.1)', async (members, seconds) => {
    const world = await openEndpoint({ handle: (_, response) => void response.end(bundleDocument(['a'], members)) });
    expect(await world.nextWait()).toBe(seconds * 1000);
    expect(world.keys()).toEqual(['a']);
  });

  test('up to a tenth sooner, so that many do not come at once', async () => {
    const world = await openEndpoint({
      random: () => 1 - Number.EPSILON,
      handle: (_, response) => void response.end(bundleDocument(['a'])),
    });
    expect(await world.nextWait()).toBeCloseTo(540_000);
  });

  test('after a growing wait where it failed, no longer than it asked for itself', async () => {
    const world = await openEndpoint();
    const waits = [await world.nextWait()];
    while (waits.length < 9) waits.push(await world.poll());
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    expect(world.logged('bundles.endpoint_failed')).toHaveLength(1);
    expect(world.source.health()).toEqual({
      state: 'down',
      code: 'bundle_unavailable',
      reason: 'the bundle endpoint answered with status 404',
    });
    world.server.handle = (_, response) => void response.end(bundleDocument(['a'], { spiffe_refresh_hint: 10 }));
    expect(await world.poll()).toBe(10_000);
    expect(world.logged('bundles.recovered')).toHaveLength(1);
    world.server.handle = (_, response) => void response.writeHead(500).end();
    const again = [await world.poll()];
    while (again.length < 7) again.push(await world.poll());
    expect(again).toEqual([500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    expect(world.keys()).toEqual(['a']);
  });
});

describe('the sequence number', () => {
  test.each([
    ['lower', 5, 4],
    ['lower beyond 2^53', '9007199254740993', '9007199254740992'],
    ['lower at the end of 64 bits', '18446744073709551615', '18446744073709551614'],
  ])('of an older bundle, %s: refused, the newer one stays', async (_, held, older) => {
    const world = await withBundle({ spiffe_sequence: 0 });
    const numbered = (kid: string, sequence: string | number): string =>
      bundleDocument([kid]).replace('"spiffe_sequence":1', `"spiffe_sequence": ${sequence}`);
    world.answer = numbered('b', held);
    await world.poll();
    expect(world.keys()).toEqual(['b']);
    world.answer = numbered('a', older);
    await world.poll();
    expect(world.keys()).toEqual(['b']);
    expect(world.source.health()).toMatchObject({
      state: 'degraded',
      code: 'bundle_invalid',
      reason: 'the bundle endpoint answered with an older bundle than before',
    });
    world.answer = numbered('c', held);
    await world.poll();
    expect(world.keys()).toEqual(['c']);
  });

  test('may be left out; what was seen counts on', async () => {
    const world = await withBundle({ spiffe_sequence: 7 });
    world.answer = bundleDocument(['b'], { spiffe_sequence: undefined });
    await world.poll();
    expect(world.keys()).toEqual(['b']);
    world.answer = bundleDocument(['c'], { spiffe_sequence: 6 });
    await world.poll();
    expect(world.keys()).toEqual(['b']);
  });

  test('of an older bundle without keys takes nothing away', async () => {
    const world = await withBundle({ spiffe_sequence: 7 });
    world.answer = '{"keys":[],"spiffe_sequence":6}';
    await world.poll();
    expect(world.keys()).toEqual(['a']);
  });
});

describe('the last good bundle stays when the answer is', () => {
  test.each<[string, (response: ServerResponse) => void, string, string]>([
    ['not JSON', (response) => response.end('<html>'), 'bundle_invalid', 'must be a JSON object'],
    ['empty', (response) => response.end(), 'bundle_invalid', 'must be a JSON object'],
    ['cut short', (response) => response.end('{"keys": ['), 'bundle_invalid', 'must be a JSON object'],
    [
      'not UTF-8',
      (response) => response.end(Buffer.from('{"keys":[],"a":"\xff"}', 'latin1')),
      'bundle_invalid',
      'must be',
    ],
    ['without keys', (response) => response.end('{}'), 'bundle_invalid', 'with an array "keys"'],
    [
      'badly numbered',
      (response) => response.end('{"keys":[],"spiffe_sequence":"1"}'),
      'bundle_invalid',
      'whole number',
    ],
    ['too large', (response) => response.end(' '.repeat(1024 * 1024 + 1)), 'bundle_invalid', 'is larger than'],
    ['204', (response) => response.writeHead(204).end(), 'bundle_unavailable', 'with status 204'],
    ['401', (response) => response.writeHead(401).end('{"keys":[]}'), 'bundle_unavailable', 'with status 401'],
    ['500', (response) => response.writeHead(500).end('{"keys":[]}'), 'bundle_unavailable', 'with status 500'],
    ['304 unasked', (response) => response.writeHead(304).end(), 'bundle_unavailable', 'with status 304'],
    ['a connection that is cut', (response) => response.destroy(), 'bundle_unavailable', 'cannot be reached'],
    [
      'a body that is cut',
      (response) => {
        response.writeHead(200, { 'Content-Length': 100 });
        response.write('{"keys":', () => response.destroy());
      },
      'bundle_unavailable',
      'cannot be reached',
    ],
  ])('%s', async (_, answer, code, reason) => {
    const world = await withBundle();
    const goodAt = world.clock.now();
    world.server.handle = (_request, response) => answer(response);
    await world.poll();
    expect(world.keys()).toEqual(['a']);
    expect(world.source.health()).toEqual({
      state: 'degraded',
      code,
      reason: expect.stringContaining(reason),
      lastGoodAt: goodAt,
    });
    expect(world.logged('bundles.endpoint_failed')).toMatchObject([{ level: 'warn', error: { code } }]);
  });

  test.each([
    ['nothing at all', () => {}],
    ['a body that never ends', (response: ServerResponse) => void response.write('{')],
  ])('%s: until the time limit', async (_, answer) => {
    const world = await withBundle();
    let asked = (): void => {};
    const arrived = new Promise<void>((resolve) => {
      asked = resolve;
    });
    world.server.handle = (_request, response) => {
      answer(response);
      asked();
    };
    await world.clock.advance(600_000);
    await arrived;
    await world.clock.advance(5_000);
    expect(await world.nextWait()).toBe(500);
    expect(world.source.health()).toMatchObject({
      state: 'degraded',
      code: 'bundle_unavailable',
      reason: 'the bundle endpoint did not answer in time',
    });
    expect(world.keys()).toEqual(['a']);
  });

  test('not there, since the server is gone, or the file of trusted certificates is', async () => {
    const world = await withBundle();
    await rm(world.caFile);
    await world.poll();
    expect(world.source.health().reason).toBe('the file of trusted certificates cannot be read');
    expect(world.keys()).toEqual(['a']);
  });
});

describe('close', () => {
  test('ends the request under way, and the polling', async () => {
    const world = await openEndpoint({ handle: () => {} });
    world.source.close();
    world.source.close();
    await world.clock.advance(3600_000);
    expect(world.clock.timers).toBe(0);
    expect(world.log.entries()).toEqual([]);
  });
});
