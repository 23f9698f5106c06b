import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { createFakeClock } from '../fakes/clock.ts';
import { asker, habitual } from '../fakes/components.ts';
import { startHost } from '../support/components.ts';
import { refusal } from '../support/errors.ts';
import { hostingOf } from '../support/hosting.ts';
import { API_POLICY, startWorld } from '../support/world.ts';

const components: Record<'asker' | 'habitual', Uint8Array> = { asker: new Uint8Array(), habitual: new Uint8Array() };

beforeAll(async () => {
  [components.asker, components.habitual] = await Promise.all([asker(), habitual()]);
});

describe('what toolchains import out of habit', () => {
  test('is there and empty, also where this process has plenty', async () => {
    process.env['SVIDX_TEST_SECRET'] = 'SECRET-1';
    try {
      const component = await startHost().load('habitual', components.habitual);
      expect(await component.call('variables', [])).toEqual({ ok: [] });
      expect(await component.call('words', [])).toEqual({ ok: [] });
      expect(await component.call('folders', [])).toEqual({ ok: 0 });
      expect(await component.call('socket', [])).toEqual({ err: 'access-denied' });
      expect(await component.call('random', [16n])).toHaveProperty('ok.length', 16);
    } finally {
      delete process.env['SVIDX_TEST_SECRET'];
    }
  });

  test('ends the component where it asks for too much, and the host goes on', async () => {
    const component = await startHost().load('habitual', components.habitual);
    const traps: readonly (readonly [string, readonly unknown[], RegExp])[] = [
      ['leave', [{ tag: 'ok' }], /the component called exit/],
      ['leave', [{ tag: 'err' }], /the component called exit/],
      ['random', [65_537n], /at most 65536 random bytes/],
      ['random', [2n ** 64n - 1n], /at most 65536 random bytes/],
      ['poll-nothing', [], /poll of nothing/],
    ];
    for (const [name, args, reason] of traps) {
      const error = await refusal(component.call(name, args));
      expect(error.code).toBe('component_trapped');
      expect(error.message).toMatch(reason);
    }
    expect(await component.call('sleep', [1_000n])).toEqual({ ok: undefined });
  });

  test('a component that sleeps for centuries is woken by its time limit', async () => {
    const clock = createFakeClock();
    const component = await startHost({ clock, limits: { timeoutMs: 5_000 } }).load('habitual', components.habitual);
    const asleep = refusal(component.call('sleep', [2n ** 64n - 1n]));
    await clock.waitForTimers(1);
    await clock.advance(5_000);
    expect(await asleep).toMatchObject({ code: 'component_timed_out' });
  });

  test('is enough for a component that jco made of TypeScript', async () => {
    const { load } = startHost();
    const component = await load('api', await readFile(inject('apiGatewayWasm')));
    const claims = await component.call('claims', ['a']);
    expect(JSON.parse('ok' in claims ? String(claims.ok) : '')).toMatchObject({
      sub: 'spiffe://example.org/api',
      aud: ['a'],
    });
  });
});

describe('the digest that a policy pins', () => {
  test('lets in these bytes, and no others under the same name', async () => {
    const digest = `sha256:${createHash('sha256').update(components.asker).digest('hex')}`;
    const world = await startWorld({ policies: { 'api.yaml': `${API_POLICY}digest: ${digest}\n` } });
    const { load } = startHost({ broker: world.service.broker, hosting: hostingOf(world.service) });
    const pinned = await load('api', components.asker);
    expect(pinned.digest).toBe(digest);
    expect(await pinned.call('token', ['sts.amazonaws.com'])).toEqual({ ok: expect.stringMatching(/^eyJ/) });

    // The same component with a custom section more: id 0, size 2, a name of one character.
    const otherBytes = Buffer.concat([components.asker, Buffer.from([0x00, 0x02, 0x01, 0x78])]);
    const otherDigest = `sha256:${createHash('sha256').update(otherBytes).digest('hex')}`;
    const message = `component "api": its bytes are not the ones its policy allows: they are ${otherDigest}`;
    expect(await refusal(load('api', otherBytes))).toMatchObject({ code: 'policy_denied', message });

    // Nor are they given anything where they are loaded all the same: the policy may have come later.
    const other = await startHost({ broker: world.service.broker }).load('api', otherBytes);
    expect(await other.call('token', ['sts.amazonaws.com'])).toEqual({
      err: { tag: 'other', val: `policy_denied: ${message}` },
    });
    expect(await other.call('credentials', ['models'])).toMatchObject({
      err: { tag: 'denied', val: { code: 'policy_denied' } },
    });
    expect(await pinned.call('token', ['sts.amazonaws.com'])).toHaveProperty('ok');
  });
});
