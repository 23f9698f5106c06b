import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import type { RegistrationEntry } from '../../src/dev/registration-entries.ts';
import { fetchSvid, fetchSvids, identities, NO_IDENTITY } from '../contract/ask.ts';
import { createFakeClock, type FakeClock } from '../fakes/clock.ts';
import { entry, type FakeSpire, startFakeSpire } from '../fakes/trust-domain.ts';
import { createRawDelegate, type RawDelegate } from '../support/raw-delegate.ts';

/** What any agent does is in delegated-identity.contract.test.ts; here is what is this one's own, and exact. */

const SERVICE = '/spire.api.agent.delegatedidentity.v1.DelegatedIdentity';
const API = { type: 'wasmcloud', value: 'component:api' };
const API_TEXT = 'wasmcloud:component:api';

async function start(
  ...entries: RegistrationEntry[]
): Promise<{ spire: FakeSpire; delegate: RawDelegate; clock: FakeClock }> {
  const clock = createFakeClock();
  const spire = await startFakeSpire({ clock, ...(entries.length === 0 ? {} : { entries }) });
  return { spire, delegate: createRawDelegate(spire.socketPath), clock };
}

describe('FetchJWTSVIDs', () => {
  test('an identity of the trust domain itself has an empty path', async () => {
    const { delegate } = await start(entry('spiffe://example.org', API_TEXT));
    expect(await identities(delegate, [API])).toEqual(['']);
  });

  test('answers in the order of the entries', async () => {
    const api = entry('spiffe://example.org/api', API_TEXT);
    const { delegate } = await start({ ...api, hint: 'second' }, entry('spiffe://example.org/b', API_TEXT), api);
    const svids = await fetchSvids(delegate, ['a'], API_TEXT);
    expect(svids.map(({ id, hint }) => [id.path, hint])).toEqual([
      ['/api', 'second'],
      ['/b', ''],
      ['/api', ''],
    ]);
  });

  test('looks at the entries anew in each call', async () => {
    const { spire, delegate } = await start();
    expect(await identities(delegate, [API])).toEqual(['/api']);
    spire.entries = [];
    expect(await identities(delegate, [API])).toEqual(NO_IDENTITY);
  });
});

describe("the cache, as SPIRE's agent has it", () => {
  test('gives the same token up to half of its life, and from then on a new one', async () => {
    const { delegate, clock } = await start();
    const first = await fetchSvid(delegate, ['a'], API_TEXT);
    await clock.advance(149_999);
    expect(await fetchSvid(delegate, ['a'], API_TEXT)).toEqual(first);
    await clock.advance(1);
    const second = await fetchSvid(delegate, ['a'], API_TEXT);
    expect(second.issued_at).toBe(first.issued_at + 150);
    expect(second.expires_at).toBe(first.expires_at + 150);
  });

  test('lets go of the tokens of a tainted key, and of no others', async () => {
    const { spire, delegate } = await start();
    const old = await fetchSvid(delegate, ['old'], API_TEXT);
    const [keyId = ''] = JSON.parse(spire.authority.jwkSet()).keys.map(({ kid }: { kid: string }) => kid);
    await spire.authority.rotate();
    const young = await fetchSvid(delegate, ['young'], API_TEXT);
    expect((await fetchSvid(delegate, ['old'], API_TEXT)).token).toBe(old.token);
    spire.authority.taint(keyId);
    expect((await fetchSvid(delegate, ['old'], API_TEXT)).token).not.toBe(old.token);
    expect((await fetchSvid(delegate, ['young'], API_TEXT)).token).toBe(young.token);
  });

  test('of two entries of one identity, the first says how long their token lives', async () => {
    const short = { ...entry('spiffe://example.org/api', API_TEXT), jwtSvidTtl: 10 };
    const { delegate } = await start(short, { ...short, jwtSvidTtl: 1_000 });
    const svids = await fetchSvids(delegate, ['a'], API_TEXT);
    expect(svids.map(({ issued_at, expires_at }) => expires_at - issued_at)).toEqual([10, 10]);
  });

  test('holds a thousand; the one unused for longest goes', async () => {
    const { delegate } = await start();
    const first = await fetchSvid(delegate, ['first'], API_TEXT);
    const second = await fetchSvid(delegate, ['second'], API_TEXT);
    for (let n = 3; n <= 1_000; n += 1) await fetchSvid(delegate, [`${n}`], API_TEXT);
    expect((await fetchSvid(delegate, ['first'], API_TEXT)).token).toBe(first.token);
    await fetchSvid(delegate, ['one more'], API_TEXT);
    expect((await fetchSvid(delegate, ['first'], API_TEXT)).token).toBe(first.token);
    expect((await fetchSvid(delegate, ['second'], API_TEXT)).token).not.toBe(second.token);
  });
});

describe('the streams of bundles', () => {
  test('sends the keys at once and after each change, to everybody', async () => {
    const { spire, delegate } = await start();
    const streams = [delegate.subscribe(), delegate.subscribe()];
    const expected = () => ({ bundles: { 'spiffe://example.org': spire.authority.jwkSet() } });
    for (const stream of streams) expect(await stream.next()).toEqual(expected());
    await spire.authority.rotate();
    for (const stream of streams) expect(await stream.next()).toEqual(expected());
    expect(JSON.parse(spire.authority.jwkSet()).keys).toHaveLength(2);
  });

  test('of X.509 authorities, sends the new one beside the old one, and alone once that is revoked', async () => {
    const { spire, delegate } = await start();
    const stream = delegate.subscribe('X.509');
    const expected = () => ({
      bundles: { 'spiffe://example.org': spire.certificateAuthority.bundle().toString('base64') },
    });
    expect(await stream.next()).toEqual(expected());
    spire.certificateAuthority.rotate();
    expect(await stream.next()).toEqual(expected());
    spire.certificateAuthority.revoke();
    expect(await stream.next()).toEqual(expected());
  });

  test('ends when the agent ends', async () => {
    const { spire, delegate } = await start();
    const stream = delegate.subscribe();
    await stream.next();
    await spire.close();
    expect(await stream.next()).toHaveProperty('code');
    expect(await delegate.fetch({ audience: ['a'], selectors: [API] })).toMatchObject({ code: status.UNAVAILABLE });
  });
});

describe('what differs from SPIRE, and stays so', () => {
  test('no process can be attested: SPIRE would find out about a living one', async () => {
    const { delegate } = await start();
    expect(await delegate.fetch({ audience: ['a'], pid: process.pid })).toEqual({
      code: status.UNAVAILABLE,
      details: 'workload attestation failed',
    });
  });

  test('there is no SubscribeToX509SVIDs: this service does not use it', async () => {
    const { delegate } = await start();
    expect(await delegate.call(`${SERVICE}/SubscribeToX509SVIDs`, Buffer.alloc(0))).toMatchObject({
      code: status.UNIMPLEMENTED,
    });
  });
});
