import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { startScriptedSts } from '../fakes/scripted-sts.ts';
import { refusal } from '../support/errors.ts';
import { startWorld } from '../support/world.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'];

function policy(name: string): string {
  return [
    `component: ${name}`,
    `spiffeId: spiffe://example.org/${name}`,
    `selectors: [wasmcloud:component:${name}]`,
    'grants:',
    "  models: { aws: { roleArn: 'arn:aws:iam::111122223333:role/models', region: us-east-1 } }",
    "  other: { aws: { roleArn: 'arn:aws:iam::111122223333:role/other', region: us-east-1 } }",
  ].join('\n');
}

test('the service asks a target no more that is down for several components, and says since when', async () => {
  const sts = await startScriptedSts();
  sts.onRequest = () => 'reset';
  const now = Date.now();
  const { service, log } = await startWorld({
    // Its time stands still, so that the next attempt never becomes due; its timers do not.
    clock: { now: () => now, after: systemClock.after },
    policies: Object.fromEntries(NAMES.map((name) => [`${name}.yaml`, policy(name)])),
    config: { stsEndpoint: sts.url },
  });
  const failures = NAMES.map((component) => refusal(service.broker.credentials({ component }, 'models')));
  for (const error of await Promise.all(failures)) expect(error.detail).toContain('ECONNRESET');
  const asked = sts.requests.all.length;
  expect(asked).toBe(NAMES.length * 3);

  const error = await refusal(service.broker.credentials({ component: 'a' }, 'other'));
  expect(error.code).toBe('exchange_unavailable');
  expect(error.message).toMatch(/^the target cannot be reached or fails since \d{4}-\d\d-\d\dT[\d:.]+Z$/);
  expect(sts.requests.all).toHaveLength(asked);
  expect(log.entries().filter(({ event }) => event === 'exchange.breaker_opened')).toHaveLength(1);
});
