import { status } from '@grpc/grpc-js';
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import type { RegistrationEntry } from '../../src/dev/registration-entries.ts';
import { createFakeClock } from '../fakes/clock.ts';
import { entry, type FakeSpire, startFakeSpire } from '../fakes/trust-domain.ts';
import { createRawDelegate, type RawDelegate } from '../support/raw-delegate.ts';

const SERVICE = '/spire.api.agent.delegatedidentity.v1.DelegatedIdentity';
const API = { type: 'wasmcloud', value: 'component:api' };
const LEDGER = { type: 'wasmcloud', value: 'component:ledger' };
const GOOD = { audience: ['a'], selectors: [API] };

async function start(...entries: RegistrationEntry[]): Promise<{ spire: FakeSpire; delegate: RawDelegate }> {
  const spire = await startFakeSpire({
    clock: createFakeClock(),
    ...(entries.length === 0 ? {} : { entries }),
  });
  return { spire, delegate: createRawDelegate(spire.socketPath) };
}

/** The paths of the identities that came back, or the status. */
async function identities(delegate: RawDelegate, selectors: readonly object[]): Promise<unknown> {
  const outcome = await delegate.fetch({ audience: ['a'], selectors });
  return 'svids' in outcome ? outcome.svids.map(({ id }) => id.path) : outcome;
}

const NO_IDENTITY = { code: status.PERMISSION_DENIED, details: 'no identity issued' };
const NOT_A_DELEGATE = {
  code: status.PERMISSION_DENIED,
  details: 'caller not configured as an authorized delegate',
};

describe('FetchJWTSVIDs', () => {
  test('gives the JWT-SVID with its ID, times and hint, as SPIRE has them on the wire', async () => {
    const { spire, delegate } = await start({
      ...entry('spiffe://example.org/team/api', 'wasmcloud:component:api'),
      hint: 'internal',
    });
    const outcome = await delegate.fetch({ audience: ['sts.amazonaws.com', 'b'], selectors: [API] });
    const [svid, ...others] = 'svids' in outcome ? outcome.svids : [];
    expect(others).toEqual([]);
    expect(svid).toMatchObject({ id: { trust_domain: 'example.org', path: '/team/api' }, hint: 'internal' });
    expect(svid?.expires_at).toBe((svid?.issued_at ?? 0) + 300);
    expect(decodeProtectedHeader(svid?.token ?? '')).toMatchObject({ alg: 'ES256', typ: 'JWT' });
    expect(decodeJwt(svid?.token ?? '')).toEqual({
      sub: 'spiffe://example.org/team/api',
      aud: ['sts.amazonaws.com', 'b'],
      iss: 'https://oidc.example.org',
      iat: svid?.issued_at,
      exp: svid?.expires_at,
    });
    const keys = createLocalJWKSet(JSON.parse(spire.authority.jwkSet()));
    await jwtVerify(svid?.token ?? '', keys, { currentDate: new Date((svid?.issued_at ?? 0) * 1000) });
  });

  test('gives a token that lives as long as its entry says', async () => {
    const { delegate } = await start({
      ...entry('spiffe://example.org/api', 'wasmcloud:component:api'),
      jwtSvidTtl: 17,
    });
    const outcome = await delegate.fetch(GOOD);
    const [svid] = 'svids' in outcome ? outcome.svids : [];
    expect((svid?.expires_at ?? 0) - (svid?.issued_at ?? 0)).toBe(17);
  });

  test('drops blank audiences, as SPIRE does', async () => {
    const { delegate } = await start();
    const outcome = await delegate.fetch({ audience: ['', 'x'], selectors: [API] });
    const [svid] = 'svids' in outcome ? outcome.svids : [];
    expect(decodeJwt(svid?.token ?? '').aud).toEqual(['x']);
  });

  test('an identity of the trust domain itself has an empty path', async () => {
    const { delegate } = await start(entry('spiffe://example.org', 'wasmcloud:component:api'));
    expect(await identities(delegate, [API])).toEqual(['']);
  });
});

describe('which entries match', () => {
  const api = entry('spiffe://example.org/api', 'wasmcloud:component:api');
  const ledger = entry('spiffe://example.org/ledger', 'wasmcloud:component:ledger');
  const both = entry('spiffe://example.org/both', 'wasmcloud:component:api', 'wasmcloud:component:ledger');

  test('an entry matches when all of its selectors are among those sent', async () => {
    const { delegate } = await start(api, ledger, both);
    expect(await identities(delegate, [API])).toEqual(['/api']);
    expect(await identities(delegate, [LEDGER])).toEqual(['/ledger']);
    expect(await identities(delegate, [LEDGER, API])).toEqual(['/api', '/ledger', '/both']);
    expect(await identities(delegate, [API, { type: 'x', value: 'y' }])).toEqual(['/api']);
    expect(await identities(delegate, [API, API])).toEqual(['/api']);
  });

  test("half of an entry's selectors are not enough", async () => {
    const { delegate } = await start(both);
    expect(await identities(delegate, [API])).toEqual(NO_IDENTITY);
    expect(await identities(delegate, [API, LEDGER])).toEqual(['/both']);
  });

  test('two entries of one identity give two', async () => {
    const { delegate } = await start({ ...api, hint: 'second' }, api);
    const outcome = await delegate.fetch(GOOD);
    expect('svids' in outcome ? outcome.svids.map(({ id, hint }) => [id.path, hint]) : outcome).toEqual([
      ['/api', 'second'],
      ['/api', ''],
    ]);
  });

  test.each([
    { type: 'wasmcloud', value: 'component:API' },
    { type: 'Wasmcloud', value: 'component:api' },
    { type: 'wasmcloud', value: 'component:api ' },
    { type: 'wasmcloud', value: 'component:ap' },
    { type: 'wasmcloud', value: 'component:api2' },
    { type: 'wasmcloud', value: 'api' },
    { type: 'component', value: 'api' },
    { type: 'wasmcloud', value: 'component:*' },
  ])('the comparison is exact: $type $value matches nothing', async (selector) => {
    const { delegate } = await start(api);
    expect(await identities(delegate, [selector])).toEqual(NO_IDENTITY);
  });

  test('entries are looked at anew in each call', async () => {
    const { spire, delegate } = await start(api);
    expect(await identities(delegate, [API])).toEqual(['/api']);
    spire.entries = [];
    expect(await identities(delegate, [API])).toEqual(NO_IDENTITY);
    spire.entries = [both, ledger];
    expect(await identities(delegate, [LEDGER])).toEqual(['/ledger']);
  });
});

/** The refusals in the order in which SPIRE's agent makes them: each row breaks one rule and all those below it. */
describe("what is refused, in SPIRE's own words and order", () => {
  const badSelectors = [{ type: '', value: '' }];
  const unsigned =
    'could not fetch JWT-SVID: failed to fetch JWT SVID: rpc error: code = Internal desc = failed to sign JWT-SVID: invalid JWT-SVID audience: cannot be empty';
  const eitherOr = {
    code: status.INVALID_ARGUMENT,
    details: 'must provide either selectors or non-zero PID, but not both',
  };
  const unparsable = { code: status.INVALID_ARGUMENT, details: 'could not parse provided selectors' };

  test('no audience, before anything about the caller', async () => {
    const { spire, delegate } = await start();
    spire.caller = 'unknown';
    const expected = { code: status.INVALID_ARGUMENT, details: 'audience must be specified' };
    expect(await delegate.fetch({ audience: [], selectors: badSelectors, pid: 1 })).toEqual(expected);
    expect(await delegate.fetch({})).toEqual(expected);
  });

  test('a caller without identity', async () => {
    const { spire, delegate } = await start();
    spire.caller = 'unknown';
    expect(await delegate.fetch({ audience: [''], selectors: badSelectors, pid: 1 })).toEqual(NO_IDENTITY);
    expect(await delegate.fetch(GOOD)).toEqual(NO_IDENTITY);
  });

  test('a caller that is no delegate', async () => {
    const { spire, delegate } = await start();
    spire.caller = 'unauthorized';
    expect(await delegate.fetch({ audience: [''], selectors: badSelectors, pid: 1 })).toEqual(NOT_A_DELEGATE);
    expect(await delegate.fetch(GOOD)).toEqual(NOT_A_DELEGATE);
    spire.caller = 'authorized';
    expect(await identities(delegate, [API])).toEqual(['/api']);
  });

  test('selectors and a process, or neither', async () => {
    const { delegate } = await start();
    expect(await delegate.fetch({ audience: [''], selectors: badSelectors, pid: 1 })).toEqual(eitherOr);
    expect(await delegate.fetch({ audience: ['a'], selectors: [API], pid: -1 })).toEqual(eitherOr);
    expect(await delegate.fetch({ audience: ['a'] })).toEqual(eitherOr);
    expect(await delegate.fetch({ audience: ['a'], selectors: [], pid: 0 })).toEqual(eitherOr);
  });

  test('a process: none can be attested here', async () => {
    const { delegate } = await start();
    const expected = { code: status.UNAVAILABLE, details: 'workload attestation failed' };
    for (const pid of [1, -1, 3_999_999]) expect(await delegate.fetch({ audience: [''], pid })).toEqual(expected);
  });

  test.each([
    ['no type', [{ type: '', value: 'x' }]],
    ['no value', [{ type: 'x', value: '' }]],
    ['neither', [{}]],
    ['a type with a colon', [{ type: 'wasmcloud:component', value: 'api' }]],
    ['a good one and one without value', [API, { type: 'x', value: '' }]],
  ])('a selector with %s', async (_, selectors) => {
    const { spire, delegate } = await start();
    expect(await delegate.fetch({ audience: [''], selectors })).toEqual(unparsable);
    spire.entries = [];
    expect(await delegate.fetch({ audience: ['a'], selectors })).toEqual(unparsable);
  });

  test('selectors of nobody, before the audience is signed', async () => {
    const { delegate } = await start();
    expect(await delegate.fetch({ audience: [''], selectors: [LEDGER] })).toEqual(NO_IDENTITY);
  });

  test('blank audiences only', async () => {
    const { delegate } = await start();
    const expected = { code: status.UNAVAILABLE, details: unsigned };
    expect(await delegate.fetch({ audience: [''], selectors: [API] })).toEqual(expected);
    expect(await delegate.fetch({ audience: ['', ''], selectors: [API] })).toEqual(expected);
  });

  test('a method or a service that is not there, and a message that is none', async () => {
    const { delegate } = await start();
    expect(await delegate.call(`${SERVICE}/Nope`, Buffer.alloc(0))).toMatchObject({ code: status.UNIMPLEMENTED });
    expect(await delegate.call('/SpiffeWorkloadAPI/FetchJWTSVID', Buffer.alloc(0))).toMatchObject({
      code: status.UNIMPLEMENTED,
    });
    expect(await delegate.call(`${SERVICE}/FetchJWTSVIDs`, Buffer.from([0xff, 0xff, 0xff]))).toMatchObject({
      code: status.INTERNAL,
    });
    expect(await identities(delegate, [API])).toEqual(['/api']);
  });
});

describe('SubscribeToJWTBundles', () => {
  test('sends the keys at once, under the ID of the trust domain', async () => {
    const { spire, delegate } = await start();
    expect(await delegate.subscribe().next()).toEqual({
      bundles: { 'spiffe://example.org': spire.authority.jwkSet() },
    });
  });

  test('sends them again after each change, to everybody', async () => {
    const { spire, delegate } = await start();
    const streams = [delegate.subscribe(), delegate.subscribe()];
    for (const stream of streams) await stream.next();
    await spire.authority.rotate();
    for (const stream of streams) {
      expect(await stream.next()).toEqual({ bundles: { 'spiffe://example.org': spire.authority.jwkSet() } });
    }
    expect(JSON.parse(spire.authority.jwkSet()).keys).toHaveLength(2);
  });

  test('refuses whom FetchJWTSVIDs refuses', async () => {
    const { spire, delegate } = await start();
    spire.caller = 'unknown';
    expect(await delegate.subscribe().next()).toEqual(NO_IDENTITY);
    spire.caller = 'unauthorized';
    expect(await delegate.subscribe().next()).toEqual(NOT_A_DELEGATE);
  });

  test.each([
    ['unknown', NO_IDENTITY],
    ['unauthorized', NOT_A_DELEGATE],
  ] as const)(
    'a caller that became %s is told when there is something to send, and gets nothing of it',
    async (caller, expected) => {
      const { spire, delegate } = await start();
      const stream = delegate.subscribe();
      await stream.next();
      spire.caller = caller;
      await spire.authority.rotate();
      expect(await stream.next()).toEqual(expected);
      spire.caller = 'authorized';
      const again = delegate.subscribe();
      expect(await again.next()).toEqual({ bundles: { 'spiffe://example.org': spire.authority.jwkSet() } });
    },
  );

  test('one that cancels does not disturb the others', async () => {
    const { spire, delegate } = await start();
    const [leaving, staying] = [delegate.subscribe(), delegate.subscribe()];
    await leaving.next();
    await staying.next();
    leaving.cancel();
    expect(await leaving.next()).toMatchObject({ code: status.CANCELLED });
    await spire.authority.rotate();
    expect(await staying.next()).toHaveProperty('bundles');
  });

  test('ends when the agent ends', async () => {
    const { spire, delegate } = await start();
    const stream = delegate.subscribe();
    await stream.next();
    await spire.close();
    expect(await stream.next()).toHaveProperty('code');
    expect(await delegate.fetch(GOOD)).toMatchObject({ code: status.UNAVAILABLE });
  });
});
