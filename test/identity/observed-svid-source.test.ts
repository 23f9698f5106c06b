import { describe, expect, test } from 'vitest';
import { type ErrorCode, SvidxError } from '../../src/base/errors.ts';
import { createObservedJwtSvidSource, type ObservedJwtSvidSource } from '../../src/identity/observed-svid-source.ts';
import { parseJwtSvidUnverified } from '../../src/spiffe/jwt-svid.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { createFakeClock, type FakeClock } from '../fakes/clock.ts';
import { makeKey } from '../support/jwk.ts';

const SUBJECT = { spiffeId: SpiffeId.parse('spiffe://example.org/api'), selectors: [] };
const token = await (await makeKey('ES256', 'a')).sign({
  sub: 'spiffe://example.org/api',
  aud: ['a'],
  exp: 4e9,
  iat: 1,
});

interface Observed {
  readonly source: ObservedJwtSvidSource;
  readonly clock: FakeClock;
  /** One request, which fails with this, or does not. */
  fetch(failure?: unknown, signal?: AbortSignal): Promise<unknown>;
}

function observe(): Observed {
  let failure: unknown;
  const clock = createFakeClock();
  const source = createObservedJwtSvidSource(
    {
      async fetchJwtSvid() {
        if (failure !== undefined) throw failure;
        return parseJwtSvidUnverified(token);
      },
    },
    clock,
  );
  return {
    source,
    clock,
    fetch(next, signal = new AbortController().signal) {
      failure = next;
      return source.fetchJwtSvid(SUBJECT, ['a'], signal);
    },
  };
}

const error = (code: ErrorCode): SvidxError => new SvidxError(code, `it is ${code}`);

describe('a source of identities that is watched', () => {
  test('is up before anything was asked', () => {
    expect(observe().source.health()).toEqual({ state: 'up', reason: 'no identity was asked for yet' });
  });

  test('passes on what it is given, and says when', async () => {
    const { source, clock, fetch } = observe();
    const asked = clock.now();
    expect(await fetch()).toMatchObject({ audience: ['a'] });
    await clock.advance(5_000);
    expect(source.health()).toEqual({ state: 'up', reason: 'the last request was answered', lastGoodAt: asked });
  });

  test.each(['identity_unavailable', 'identity_delegate_unauthorized', 'identity_response_invalid'] as const)(
    'passes on %s, is degraded until the next good answer, and remembers the last one',
    async (code) => {
      const { source, clock, fetch } = observe();
      const failure = error(code);
      await expect(fetch(failure)).rejects.toBe(failure);
      expect(source.health()).toEqual({ state: 'degraded', code, reason: `it is ${code}` });
      await fetch();
      const lastGoodAt = clock.now();
      await clock.advance(1_000);
      await expect(fetch(failure)).rejects.toBe(failure);
      expect(source.health()).toEqual({ state: 'degraded', code, reason: `it is ${code}`, lastGoodAt });
      await fetch();
      expect(source.health().state).toBe('up');
    },
  );

  test.each(['identity_not_found', 'identity_mismatch'] as const)(
    'is up when one component has no identity: %s',
    async (code) => {
      const { source, clock, fetch } = observe();
      await expect(fetch(error('identity_unavailable'))).rejects.toMatchObject({ code: 'identity_unavailable' });
      await expect(fetch(error(code))).rejects.toMatchObject({ code });
      expect(source.health()).toMatchObject({ state: 'up', lastGoodAt: clock.now() });
    },
  );

  test('says nothing of a request that its caller gave up', async () => {
    const { source, fetch } = observe();
    await expect(fetch(error('identity_unavailable'), AbortSignal.abort())).rejects.toThrow();
    expect(source.health().state).toBe('up');
  });

  test('tells nothing of what is no error of ours', async () => {
    const { source, fetch } = observe();
    await expect(fetch(new Error('secret'))).rejects.toThrow('secret');
    expect(source.health()).toMatchObject({ state: 'degraded', code: 'internal_error' });
    expect(JSON.stringify(source.health())).not.toContain('secret');
  });
});
