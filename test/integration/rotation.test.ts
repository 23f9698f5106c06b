import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { parseIssuer } from '../../src/config/issuer.ts';
import type { JwtKeyType } from '../../src/dev/key-types.ts';
import { createIssuerApp } from '../../src/http/issuer-app.ts';
import { listenOnTcp } from '../../src/http/listener.ts';
import { createDelegatedIdentityApi } from '../../src/identity/delegated-identity/api.ts';
import { createDelegatedJwtBundleSource } from '../../src/identity/delegated-identity/jwt-bundle-source.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { createFakeClock, type FakeClock } from '../fakes/clock.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { EXAMPLE_TRUST_DOMAIN, type FakeSpire, startFakeSpire } from '../fakes/trust-domain.ts';
import { discover } from '../support/discover.ts';
import { eventually } from '../support/eventually.ts';
import { loopbackListeners } from '../support/listeners.ts';

const SUBJECT = SpiffeId.parse('spiffe://example.org/api');
const MINUTES = 60_000;
const HOURS = 60 * MINUTES;
const CHECK_MS = 10_000;

interface Rotating {
  readonly clock: FakeClock;
  readonly spire: FakeSpire;
  /** The IDs of the keys that are published now. */
  published(): Promise<string[]>;
  /** A token signed now, for half an hour. */
  mint(): Promise<string>;
  /** Verifies as who knows the issuer's URL alone. */
  verify(token: string): Promise<void>;
  /** Waits until the issuer has what SPIRE has. */
  caughtUp(): Promise<void>;
}

/** A SPIRE whose keys live for 24 hours, an issuer fed by its stream, and a verifier with the defaults of its library. */
async function start(keyType: JwtKeyType): Promise<Rotating> {
  const clock = createFakeClock();
  // The verifier has no other clock.
  vi.useFakeTimers({ toFake: ['Date'], now: clock.now() });
  onTestFinished(() => void vi.useRealTimers());
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, clock);
  onTestFinished(listener.close);
  const issuer = parseIssuer(listener.url);
  if ('problem' in issuer) throw new Error(issuer.problem);
  const spire = await startFakeSpire({ clock, keyType, jwtIssuer: issuer.url });
  const bundles = createDelegatedJwtBundleSource({
    connect: () => createDelegatedIdentityApi(spire.socketPath),
    trustDomain: EXAMPLE_TRUST_DOMAIN,
    clock: createFakeClock(),
    random: () => 0.5,
    logger: createMemoryLog().logger,
    timeoutMs: 5_000,
  });
  onTestFinished(bundles.close);
  listener.handle(
    createIssuerApp({
      issuer,
      trustDomain: EXAMPLE_TRUST_DOMAIN,
      bundles,
      clock,
      ...loopbackListeners(issuer),
      loopback: true,
    }),
  );

  const keyIds = (jwkSet: string): string[] => JSON.parse(jwkSet).keys.map(({ kid }: { kid: string }) => kid);
  const published = async (): Promise<string[]> => keyIds(await (await fetch(issuer.keysUrl)).text());
  const caughtUp = (): Promise<void> =>
    eventually(async () => expect((await published()).sort()).toEqual(keyIds(spire.authority.jwkSet()).sort()));
  await caughtUp();

  const discovery = await discover(issuer.url);
  const keySet = createRemoteJWKSet(discovery.keysUrl);
  return {
    clock,
    spire,
    published,
    caughtUp,
    mint: async () => (await spire.authority.mint({ spiffeId: SUBJECT, audience: ['cloud'], ttl: 1800 })).token,
    async verify(token) {
      const { payload } = await jwtVerify(token, keySet, {
        issuer: discovery.issuer,
        audience: 'cloud',
        algorithms: discovery.algorithms,
        currentDate: new Date(clock.now()),
      });
      expect(payload.sub).toBe(SUBJECT.toString());
    },
  };
}

/** In the steps in which SPIRE looks at its keys: a new one takes real time to make, and none goes by meanwhile. */
async function advance({ clock, caughtUp }: Rotating, ms: number): Promise<void> {
  for (let step = 0; step < ms / CHECK_MS; step += 1) {
    await clock.advance(CHECK_MS);
    await clock.waitForTimers(1);
  }
  vi.setSystemTime(clock.now());
  await caughtUp();
}

describe('a verifier that knows only the URL of the issuer', () => {
  test.each(['ec-p256', 'ec-p384', 'rsa-2048'] as const)(
    'verifies every token before, during and after three planned rotations: %s',
    async (keyType) => {
      const world = await start(keyType);
      const signedBy = new Set<string | undefined>();
      let previous = await world.mint();
      let verified = 0;
      // Keys change after 20, 32 and 44 hours: the next one is made, and begins to age, when half of a life is over.
      for (let elapsed = 0; elapsed < 50 * HOURS; elapsed += 20 * MINUTES) {
        const token = await world.mint();
        signedBy.add(decodeProtectedHeader(token).kid);
        await world.verify(token);
        // The last one, of perhaps the key before, has ten minutes to live.
        await world.verify(previous);
        verified += 2;
        previous = token;
        await advance(world, 20 * MINUTES);
      }
      expect(signedBy.size).toBe(4);
      expect(verified).toBe(300);
    },
    60_000,
  );

  test('verifies at once what a forced rotation signs, a minute after it last looked', async () => {
    const world = await start('ec-p256');
    await world.verify(await world.mint());
    await advance(world, MINUTES);
    const before = await world.mint();
    await world.spire.authority.rotate();
    await world.caughtUp();
    await world.verify(await world.mint());
    await world.verify(before);
  });
});

describe('the issuer', () => {
  test('publishes the next key eight hours before it signs, and the old one until its end', async () => {
    const world = await start('ec-p256');
    const [first] = await world.published();
    await advance(world, 12 * HOURS + MINUTES);
    const both = await world.published();
    expect(both).toHaveLength(2);
    expect(both).toContain(first);
    expect(decodeProtectedHeader(await world.mint()).kid).toBe(first);
    await advance(world, 8 * HOURS);
    expect(decodeProtectedHeader(await world.mint()).kid).not.toBe(first);
    expect(await world.published()).toContain(first);
    await advance(world, 4 * HOURS);
    expect(await world.published()).not.toContain(first);
  });
});
