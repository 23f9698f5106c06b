import { expect, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import { settle } from '../fakes/clock.ts';
import { openBroker } from '../support/broker.ts';

const SECOND = 1000;
const COUNT = 2000;
const A = ['a.example.org'] as const;

function policy(index: number): string {
  return [
    `component: c${index}`,
    `spiffeId: spiffe://example.org/c${index}`,
    `selectors: [wasmcloud:component:c${index}]`,
    'audiences: [a.example.org]',
  ].join('\n');
}

test('when SPIRE comes back, the many that wait to be renewed do not call it all at once, and nobody waits', async () => {
  const names = Array.from({ length: COUNT }, (_, index) => ({ component: `c${index}` }));
  const world = await openBroker({ policies: names.map((_, index) => policy(index)), cacheSize: COUNT });
  const { broker, clock, upstreams } = world;
  await Promise.all(names.map((name) => broker.identity(name, A)));

  upstreams.mint = new SvidxError('identity_unavailable', 'away');
  await clock.advance(151 * SECOND);
  await Promise.all(names.map((name) => broker.identity(name, A)));
  await settle();

  // It is back, but slow: each call that is under way stays so.
  upstreams.mint = 'hang';
  await clock.advance(60 * SECOND);
  const before = upstreams.mints.all.length;
  const svids = await Promise.all(names.map((name) => broker.identity(name, A)));
  expect(svids.every(({ expiresAt }) => expiresAt > clock.now())).toBe(true);
  await settle();
  expect(upstreams.mints.all.length - before).toBe(32);
});
