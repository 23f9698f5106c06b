import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { ERROR_CODES } from '../../src/base/errors.ts';
import type { Health } from '../../src/base/health.ts';
import { createHealthApp } from '../../src/http/health-app.ts';
import { listenOnTcp } from '../../src/http/listener.ts';
import { createFakeClock } from '../fakes/clock.ts';
import { ask, type HttpAnswer } from '../support/http.ts';

const NOW = Date.parse('2026-11-22T12:00:00Z');
const UP: Health = { state: 'up', reason: 'the bundle stream is open', lastGoodAt: NOW - 2_500 };
const DEGRADED: Health = {
  state: 'degraded',
  code: 'policy_invalid',
  reason: '/etc/svidx/policies/a.yaml:3: evil',
  lastGoodAt: NOW - 60_000,
};
const DOWN: Health = { state: 'down', code: 'bundle_unavailable', reason: 'no answer at /run/spire/admin.sock' };

interface Started {
  /** What the parts say from now on. */
  readonly parts: Record<string, Health>;
  ask(path: string, method?: string): Promise<HttpAnswer & { json: unknown }>;
}

async function start(
  parts: Record<string, Health>,
  reasons = true,
  components: Record<string, Health> = {},
): Promise<Started> {
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, systemClock);
  onTestFinished(listener.close);
  const now = { ...parts };
  listener.handle(
    createHealthApp({
      parts: Object.fromEntries(Object.keys(parts).map((name) => [name, () => now[name] ?? DOWN])),
      components: Object.fromEntries(Object.entries(components).map(([name, health]) => [name, () => health])),
      clock: createFakeClock(NOW),
      reasons,
    }),
  );
  return {
    parts: now,
    async ask(path, method = 'GET') {
      const answer = await ask(listener.url, { path, method });
      return { ...answer, json: answer.text === '' ? undefined : JSON.parse(answer.text) };
    },
  };
}

describe('/readyz', () => {
  test('tells state, reason and age of each part', async () => {
    const { ask } = await start({ bundles: UP, policies: DEGRADED });
    const { status, headers, json } = await ask('/readyz');
    expect(status).toBe(200);
    expect(json).toEqual({
      state: 'degraded',
      parts: {
        bundles: { state: 'up', reason: 'the bundle stream is open', age: 2 },
        policies: { state: 'degraded', code: 'policy_invalid', reason: DEGRADED.reason, age: 60 },
      },
    });
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
  });

  test('is 503 while any part is down, and not a moment longer', async () => {
    const { ask, parts } = await start({ bundles: DOWN, policies: UP });
    expect(await ask('/readyz')).toMatchObject({ status: 503, json: { state: 'down' } });
    parts['bundles'] = UP;
    expect(await ask('/readyz')).toMatchObject({ status: 200, json: { state: 'up' } });
    parts['policies'] = DOWN;
    expect((await ask('/readyz')).status).toBe(503);
  });

  test('has no age for a part that never heard good news, and none below zero', async () => {
    const { ask } = await start({ bundles: DOWN, policies: { ...UP, lastGoodAt: NOW + 5_000 } });
    expect((await ask('/readyz')).json).toMatchObject({
      parts: { bundles: { state: 'down', code: 'bundle_unavailable', reason: DOWN.reason }, policies: { age: 0 } },
    });
    expect((await ask('/readyz/bundles')).json).not.toHaveProperty('age');
  });
});

describe('/readyz/<part>', () => {
  test('tells of that part alone', async () => {
    const { ask } = await start({ bundles: UP, policies: DEGRADED, tls: DOWN });
    expect(await ask('/readyz/bundles')).toMatchObject({
      status: 200,
      json: { state: 'up', reason: 'the bundle stream is open', age: 2 },
    });
    expect((await ask('/readyz/policies')).status).toBe(200);
    expect((await ask('/readyz/tls')).status).toBe(503);
  });
});

describe('/livez', () => {
  test('is 200 whatever the parts say', async () => {
    const { ask } = await start({ bundles: DOWN });
    expect(await ask('/livez')).toMatchObject({ status: 200, json: { state: 'up' } });
  });
});

describe('to the public', () => {
  test('no reason is told, but what the code says to everybody', async () => {
    const { ask } = await start({ bundles: DOWN, policies: DEGRADED, tls: UP }, false);
    const { text, json } = await ask('/readyz');
    expect(json).toEqual({
      state: 'down',
      parts: {
        bundles: { state: 'down', code: 'bundle_unavailable', reason: ERROR_CODES.bundle_unavailable },
        policies: { state: 'degraded', code: 'policy_invalid', reason: ERROR_CODES.policy_invalid, age: 60 },
        tls: { state: 'up', age: 2 },
      },
    });
    for (const path of ['/readyz/bundles', '/readyz/policies', '/readyz/tls', '/livez']) {
      expect((await ask(path)).text).not.toMatch(/\/etc|\/run|stream/);
    }
    expect(text).not.toMatch(/\/etc|\/run|stream/);
  });
});

describe('a health check', () => {
  test.each(['/livez', '/readyz', '/readyz/bundles'])('%s answers HEAD without a body, and a query', async (path) => {
    const { ask, parts } = await start({ bundles: UP });
    expect(await ask(path, 'HEAD')).toMatchObject({ status: 200, text: '' });
    expect((await ask(`${path}?verbose`)).status).toBe(200);
    parts['bundles'] = DOWN;
    expect((await ask(path, 'HEAD')).status).toBe(path === '/livez' ? 200 : 503);
  });

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('does not answer %s', async (method) => {
    const { ask } = await start({ bundles: UP });
    for (const path of ['/livez', '/readyz', '/readyz/bundles']) {
      expect(await ask(path, method)).toMatchObject({
        status: 405,
        headers: { allow: 'GET, HEAD' },
        json: { code: 'method_not_allowed' },
      });
    }
  });

  test.each([
    '/',
    '/health',
    '/Livez',
    '/livez/',
    '/livez/bundles',
    '/readyz/',
    '/readyz/none',
    '/readyz/bundles/',
    '/readyz/__proto__',
    '/readyz/constructor',
    '//readyz',
    '/x/../readyz',
  ])('is not at %s', async (path) => {
    const { ask } = await start({ bundles: UP });
    expect(await ask(path)).toMatchObject({ status: 404, json: { code: 'not_found' } });
  });
});

describe('hosted components', () => {
  const FAILED: Health = { state: 'down', code: 'component_invalid', reason: '/srv/a.wasm: not a component' };

  test('are a part each, and one that is down leaves the whole degraded', async () => {
    const { ask } = await start({ bundles: UP }, true, { 'team/api': FAILED, ledger: UP });
    const { status, json } = await ask('/readyz');
    expect(status).toBe(200);
    expect(json).toMatchObject({
      state: 'degraded',
      parts: {
        bundles: { state: 'up' },
        'component/team/api': { state: 'down', code: 'component_invalid', reason: '/srv/a.wasm: not a component' },
        'component/ledger': { state: 'up' },
      },
    });
    expect(await ask('/readyz/component/team/api')).toMatchObject({ status: 503, json: { state: 'down' } });
    expect(await ask('/readyz/component/ledger')).toMatchObject({ status: 200, json: { state: 'up' } });
  });

  test('are not what keeps the whole from being down', async () => {
    const { ask } = await start({ bundles: DOWN }, true, { ledger: UP });
    expect(await ask('/readyz')).toMatchObject({ status: 503, json: { state: 'down' } });
  });

  test('are one part without names where reasons are not told', async () => {
    const { ask } = await start({ bundles: UP }, false, { 'team/api': FAILED, ledger: UP });
    const { text, json } = await ask('/readyz');
    expect(json).toEqual({
      state: 'degraded',
      parts: { bundles: { state: 'up', age: 2 }, components: { state: 'down' } },
    });
    expect(text).not.toMatch(/team|ledger|srv/);
    expect((await ask('/readyz/component/team/api')).status).toBe(404);
    expect((await ask('/readyz/components')).status).toBe(503);
  });
});
