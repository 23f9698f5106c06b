import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../../src/base/clock.ts';
import { type Authority, createAuthority } from '../../../src/dev/authority.ts';
import { createDelegatedJwtSvidSource, MAX_CALLS } from '../../../src/identity/delegated-identity/jwt-svid-source.ts';
import type { Audience } from '../../../src/spiffe/audience.ts';
import { SpiffeId } from '../../../src/spiffe/spiffe-id.ts';
import { createFakeClock } from '../../fakes/clock.ts';
import {
  type FetchAnswer,
  type FetchCall,
  type ScriptedAgent,
  startScriptedAgent,
  type WireSvid,
} from '../../fakes/scripted-agent.ts';
import { entry, startFakeSpire } from '../../fakes/trust-domain.ts';
import { API, connectApi, connectSvidSource, subject, unaborted } from '../../support/delegated-identity.ts';
import { refusal, refusalCode } from '../../support/errors.ts';
import { eventually } from '../../support/eventually.ts';
import { errorText, expectNoSecrets } from '../../support/secrets.ts';

interface Setup {
  readonly agent: ScriptedAgent;
  readonly authority: Authority;
  /** A wire SVID whose token says what its `id` says, unless a token of another ID is asked for. */
  svid(id: string, audience?: Audience, options?: { ttl?: number; tokenOf?: string; hint?: string }): Promise<WireSvid>;
}

async function setUp(): Promise<Setup> {
  const authority = await createAuthority({
    clock: { now: systemClock.now, after: () => ({ cancel: () => {} }) },
    keyType: 'ec-p256',
    jwtIssuer: 'https://oidc.example.org',
    keyTtlMs: 3600_000,
  });
  return {
    agent: await startScriptedAgent(),
    authority,
    async svid(id, audience = ['a.example.org'], { ttl = 300, tokenOf = id, hint = '' } = {}) {
      const { token } = await authority.mint({ spiffeId: SpiffeId.parse(tokenOf), audience, ttl });
      const { trustDomain, path } = SpiffeId.parse(id);
      return { token, id: { trust_domain: trustDomain.name, path }, hint };
    },
  };
}

function ask(agent: ScriptedAgent, audience: Audience = ['a.example.org']) {
  return connectSvidSource(agent.socketPath).fetchJwtSvid(API, audience, unaborted());
}

describe('what is sent', () => {
  test("exactly the policy's selectors and exactly the audiences, in their order, and nothing else", async () => {
    const { agent, svid } = await setUp();
    const audience: Audience = ['z.example.org', 'a.example.org', 'https://m.example.org/x?y=1'];
    agent.onFetch = async () => ({ svids: [await svid('spiffe://example.org/api', audience)] });
    const who = subject('spiffe://example.org/api', 'wasmcloud:component:api', 'k8s:ns:a:b', 'unix:uid:1000', 'x: ü ');
    await connectSvidSource(agent.socketPath).fetchJwtSvid(who, audience, unaborted());
    const [call] = agent.fetches.all;
    expect(call?.request).toEqual({
      audience: [...audience],
      selectors: [
        { type: 'wasmcloud', value: 'component:api' },
        { type: 'k8s', value: 'ns:a:b' },
        { type: 'unix', value: 'uid:1000' },
        { type: 'x', value: ' ü ' },
      ],
      pid: 0,
    });
    expect(Object.keys(call?.metadata ?? {})).toEqual(['user-agent']);
    expect(agent.fetches.all).toHaveLength(1);
    expect(agent.streams.all).toEqual([]);
  });

  test('nothing when the caller has given up before', async () => {
    const { agent } = await setUp();
    const reason = new Error('given up');
    const source = connectSvidSource(agent.socketPath);
    await expect(source.fetchJwtSvid(API, ['a.example.org'], AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(agent.fetches.all).toEqual([]);
  });
});

describe('which of several JWT-SVIDs is used', () => {
  test('the one whose ID the policy names, wherever it stands', async () => {
    const { agent, svid } = await setUp();
    const svids = [
      await svid('spiffe://example.org/ledger'),
      await svid('spiffe://example.org/api/v2'),
      await svid('spiffe://example.org/api'),
      await svid('spiffe://other.example/api'),
    ];
    agent.onFetch = () => ({ svids });
    expect((await ask(agent)).token.reveal()).toBe(svids[2]?.token);
  });

  test.each([
    ['first', 300, 299, 298],
    ['second', 60, 61, 60],
    ['third', 1, 299, 300],
    ['first', 300, 300, 300],
  ])('of those with the same ID the longest-lived, here the %s, whatever their hints', async (name, ...ttls) => {
    const { agent, svid } = await setUp();
    const hints = ['', 'second', 'third'];
    const svids = await Promise.all(
      ttls.map((ttl, index) => svid('spiffe://example.org/api', ['a.example.org'], { ttl, hint: hints[index] ?? '' })),
    );
    agent.onFetch = () => ({ svids: [...svids.slice(0, 1), { token: 'x', id: null }, ...svids.slice(1)] });
    const chosen = svids[['first', 'second', 'third'].indexOf(name)];
    expect((await ask(agent)).token.reveal()).toBe(chosen?.token);
  });

  test('none where one of those with the same ID is not what was asked for', async () => {
    const { agent, svid } = await setUp();
    const good = await svid('spiffe://example.org/api');
    const bad = await svid('spiffe://example.org/api', ['other.example.org'], { hint: 'second' });
    for (const svids of [
      [good, bad],
      [bad, good],
    ]) {
      agent.onFetch = () => ({ svids });
      expect(await refusalCode(ask(agent))).toBe('identity_response_invalid');
    }
  });

  test('one that a real agent signed for an entry with fewer selectors than were sent', async () => {
    const spire = await startFakeSpire({
      entries: [
        entry('spiffe://example.org/host', 'unix:uid:0'),
        entry('spiffe://example.org/api', 'wasmcloud:component:api'),
        entry('spiffe://example.org/both', 'wasmcloud:component:api', 'unix:uid:1'),
      ],
    });
    const who = subject('spiffe://example.org/api', 'unix:uid:0', 'wasmcloud:component:api');
    const svid = await connectSvidSource(spire.socketPath).fetchJwtSvid(who, ['a.example.org'], unaborted());
    expect(svid.spiffeId.toString()).toBe('spiffe://example.org/api');
    expect(svid.audience).toEqual(['a.example.org']);
  });

  test('none of those with other IDs: the error names what came instead', async () => {
    const { agent, svid } = await setUp();
    const svids = [
      await svid('spiffe://example.org/API'),
      await svid('spiffe://example.org/api-2'),
      { token: 'x', id: null },
      { token: 'x', id: { trust_domain: 'Example.org', path: '/api' } },
      { token: 'x', id: { trust_domain: 'example.org', path: '/api\n/' } },
    ];
    agent.onFetch = () => ({ svids });
    const error = await refusal(ask(agent));
    expect(error).toMatchObject({
      code: 'identity_mismatch',
      message: 'SPIRE has no spiffe://example.org/api for the selectors of this component',
      detail:
        'the agent returned spiffe://example.org/API, spiffe://example.org/api-2, (none), (an invalid SPIFFE ID), (an invalid SPIFFE ID)',
    });
    expectNoSecrets(
      errorText(error),
      svids.map(({ token }) => token),
    );
  });
});

describe('what is refused', () => {
  test('an answer without any JWT-SVID', async () => {
    const { agent } = await setUp();
    agent.onFetch = () => ({ svids: [] });
    expect(await refusal(ask(agent))).toMatchObject({
      code: 'identity_not_found',
      message: 'the SPIRE agent returned no JWT-SVID for this component',
    });
  });

  test('the right ID on the token of another', async () => {
    const { agent, svid } = await setUp();
    const wrong = await svid('spiffe://example.org/api', ['a.example.org'], { tokenOf: 'spiffe://example.org/ledger' });
    agent.onFetch = () => ({ svids: [wrong] });
    const error = await refusal(ask(agent));
    expect(error).toMatchObject({
      code: 'identity_response_invalid',
      message: 'the SPIRE agent returned an unusable JWT-SVID: its subject is another SPIFFE ID',
    });
    expectNoSecrets(errorText(error), [wrong.token]);
  });

  const asked: Audience = ['a.example.org', 'b.example.org'];
  test.each<[string, Audience, Audience]>([
    ['a superset', asked, ['a.example.org', 'b.example.org', 'c.example.org']],
    ['a subset', asked, ['a.example.org']],
    ['another of the same size', asked, ['a.example.org', 'c.example.org']],
    ['a repetition in place of one', asked, ['a.example.org', 'a.example.org']],
    ['another in place of a repetition', ['a.example.org', 'a.example.org'], ['a.example.org', 'c.example.org']],
    ['one in another case', ['a.example.org'], ['A.example.org']],
  ])('a token for %s of the audiences', async (_, wanted, got) => {
    const { agent, svid } = await setUp();
    const wrong = await svid('spiffe://example.org/api', got);
    agent.onFetch = () => ({ svids: [wrong] });
    const error = await refusal(ask(agent, wanted));
    expect(error).toMatchObject({
      code: 'identity_response_invalid',
      message: 'the SPIRE agent returned an unusable JWT-SVID: its audience is not the one that was asked for',
    });
    expectNoSecrets(errorText(error), [wrong.token]);
  });

  test.each<[string, Audience, Audience]>([
    ['in another order', ['b.example.org', 'a.example.org'], ['a.example.org', 'b.example.org']],
    ['without a repetition', ['a.example.org', 'a.example.org'], ['a.example.org']],
    ['with a repetition', ['a.example.org'], ['a.example.org', 'a.example.org']],
  ])('but not the same audiences %s', async (_, wanted, got) => {
    const { agent, svid } = await setUp();
    agent.onFetch = async () => ({ svids: [await svid('spiffe://example.org/api', got)] });
    expect((await ask(agent, wanted)).audience).toEqual(got);
  });

  test('an expired token, to the millisecond of its end', async () => {
    const { agent, authority } = await setUp();
    const clock = createFakeClock();
    const { token, expiresAt } = await authority.mint({ spiffeId: API.spiffeId, audience: ['a'], ttl: 60 });
    agent.onFetch = () => ({ svids: [{ token, id: { trust_domain: 'example.org', path: '/api' } }] });
    const source = connectSvidSource(agent.socketPath, { clock });
    await clock.advance(expiresAt * 1000 - 1 - clock.now());
    expect((await source.fetchJwtSvid(API, ['a'], unaborted())).expiresAt).toBe(expiresAt * 1000);

    await clock.advance(1);
    const error = await refusal(source.fetchJwtSvid(API, ['a'], unaborted()));
    const at = new Date(expiresAt * 1000).toISOString();
    expect(error).toMatchObject({
      code: 'identity_response_invalid',
      message: `the SPIRE agent returned an unusable JWT-SVID: it expired at ${at}; check the clocks`,
    });
    expectNoSecrets(errorText(error), [token]);
  });

  test.each(['iat', 'nbf'])('a token whose "%s" is further ahead than what is kept back at its end', async (claim) => {
    const { agent } = await setUp();
    const clock = createFakeClock();
    const seconds = Math.floor(clock.now() / 1000);
    const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
    const claims = { sub: 'spiffe://example.org/api', aud: ['a'], exp: seconds + 300, [claim]: seconds };
    const token = `${encode({ alg: 'ES256' })}.${encode(claims)}.c2lnbmF0dXJl`;
    agent.onFetch = () => ({ svids: [{ token, id: { trust_domain: 'example.org', path: '/api' } }] });
    const behind = (ms: number): Clock => ({ ...clock, now: () => seconds * 1000 - ms });
    const source = (ms: number) => connectSvidSource(agent.socketPath, { clock: behind(ms) });
    const svid = await source(10_000).fetchJwtSvid(API, ['a'], unaborted());
    expect(svid.token.reveal()).toBe(token);
    const error = await refusal(source(10_001).fetchJwtSvid(API, ['a'], unaborted()));
    expect(error).toMatchObject({
      code: 'identity_response_invalid',
      message: `the SPIRE agent returned an unusable JWT-SVID: its "${claim}" lies in the future; check the clocks`,
    });
    expectNoSecrets(errorText(error), [token]);
  });

  const [header, claims] = [{ alg: 'ES256' }, { sub: 'spiffe://example.org/api', aud: 'a', exp: 4_000_000_000 }].map(
    (part) => Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  test.each([
    ['no token at all', ''],
    ['a text', 'not a token'],
    ['two parts', `${header}.${claims}`],
    ['no signature', `${header}.${claims}.`],
    ['four parts', `${header}.${claims}.c2ln.c2ln`],
    ['alg none', `${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims}.c2lnbmF0dXJl`],
    ['claims that are no JSON', `${header}.bm8ganNvbiBoZXJl.c2lnbmF0dXJl`],
    ['more than 20,000 characters', `${header}.${claims}.${'A'.repeat(20_000)}`],
  ])('a malformed token: %s', async (_, token) => {
    const { agent } = await setUp();
    agent.onFetch = () => ({ svids: [{ token, id: { trust_domain: 'example.org', path: '/api' } }] });
    const error = await refusal(ask(agent, ['a']));
    expect(error.code).toBe('identity_response_invalid');
    expect(error.message).toMatch(/^the SPIRE agent returned an unusable JWT-SVID: the token /);
    expectNoSecrets(errorText(error), [token]);
  });

  test.each<[string, FetchAnswer]>([
    ['bytes that are no message', { bytes: Buffer.of(255, 255, 255) }],
    ['a field of the wrong type', { bytes: Buffer.of(0x08, 0x01) }],
    ['a message that is cut off', { bytes: Buffer.of(0x0a, 0x7f, 0x0a) }],
  ])('%s', async (_, answer) => {
    const { agent } = await setUp();
    agent.onFetch = () => answer;
    const error = await refusal(ask(agent));
    expect(error).toMatchObject({
      code: 'identity_response_invalid',
      message: 'the SPIRE agent sent an answer that cannot be read',
    });
  });

  test('bytes at random, each time with an error of ours', async () => {
    const { agent } = await setUp();
    const source = connectSvidSource(agent.socketPath);
    const codes = new Set<string>();
    for (const bytes of fc.sample(fc.uint8Array({ maxLength: 40 }), 200)) {
      agent.onFetch = () => ({ bytes });
      codes.add(await refusalCode(source.fetchJwtSvid(API, ['a.example.org'], unaborted())));
    }
    const possible = ['identity_response_invalid', 'identity_not_found', 'identity_mismatch'];
    expect([...codes].filter((code) => !possible.includes(code))).toEqual([]);
  });

  test('an answer larger than gRPC reads', async () => {
    const { agent } = await setUp();
    agent.onFetch = () => ({ bytes: Buffer.alloc(5 * 1024 * 1024) });
    const error = await refusal(ask(agent));
    expect(error.code).toBe('identity_unavailable');
    expect(error.detail).toMatch(/^gRPC RESOURCE_EXHAUSTED: /);
  });
});

describe('calls at the same time', () => {
  test('are so many and no more; the rest waits in line, and whoever gives up leaves it', async () => {
    const { agent, svid } = await setUp();
    const good: FetchAnswer = { svids: [await svid('spiffe://example.org/api')] };
    const open: ((answer: FetchAnswer) => void)[] = [];
    const isLast = ({ request }: FetchCall): boolean => JSON.stringify(request).includes('"last"');
    agent.onFetch = (call) => (isLast(call) ? { svids: [] } : new Promise((resolve) => open.push(resolve)));
    const api = connectApi(agent.socketPath);
    const source = createDelegatedJwtSvidSource({ api, clock: systemClock, timeoutMs: 15_000 });
    const abort = new AbortController();
    const answers = Array.from({ length: 500 }, (_, index) =>
      source.fetchJwtSvid(API, ['a.example.org'], index === 300 ? abort.signal : unaborted()),
    );
    const reason = new Error('given up');
    abort.abort(reason);
    await expect(answers[300]).rejects.toBe(reason);

    /** How many calls have arrived: at least so many, and then those that were sent before one that waits in no line. */
    const arrived = async (atLeast: number): Promise<number> => {
      const calls = () => agent.fetches.all.filter((call) => !isLast(call)).length;
      await eventually(async () => expect(calls()).toBeGreaterThanOrEqual(atLeast));
      await api.fetchJwtSvids({ audience: ['last'], selectors: [] }, { timeoutMs: 15_000, signal: unaborted() });
      return calls();
    };
    expect(await arrived(MAX_CALLS)).toBe(MAX_CALLS);
    for (const answer of open.splice(0, 10)) answer(good);
    await Promise.all(answers.slice(0, 10));
    expect(await arrived(MAX_CALLS + 10)).toBe(MAX_CALLS + 10);

    agent.onFetch = () => good;
    for (const answer of open.splice(0)) answer(good);
    const settled = await Promise.allSettled(answers);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(499);
    expect(agent.fetches.all).toHaveLength(499 + 2);
  });
});

test('an agent that is now right and now wrong is believed only when it is right', async () => {
  const { agent, svid } = await setUp();
  const good = await svid('spiffe://example.org/api');
  const bad = await svid('spiffe://example.org/api', ['other.example.org']);
  let calls = 0;
  agent.onFetch = () => ({ svids: [calls++ % 2 === 0 ? good : bad] });
  const source = connectSvidSource(agent.socketPath);
  const outcomes: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    outcomes.push((await source.fetchJwtSvid(API, ['a.example.org'], unaborted())).token.reveal());
    outcomes.push(await refusalCode(source.fetchJwtSvid(API, ['a.example.org'], unaborted())));
  }
  expect(new Set(outcomes)).toEqual(new Set([good.token, 'identity_response_invalid']));
});
