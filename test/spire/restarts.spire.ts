import { beforeAll, describe, expect, inject, test } from 'vitest';
import { until } from '../support/until.ts';
import { createOutsideClient, publishedKeys } from './support/outside-client.ts';
import { outcome, SOON, type SpireWorld, startSpireWorld } from './support/spire-world.ts';

describe.skipIf(inject('spire') === undefined)('parts of a real SPIRE go away and come back', () => {
  let world: SpireWorld;
  beforeAll(async () => {
    world = await startSpireWorld();
    return world.close;
  });

  const logged = (event: string): number => world.log.entries().filter((entry) => entry['event'] === event).length;

  /** What was in hand before serves on, and verifies outside. */
  async function expectServed(token: string, audience: string): Promise<void> {
    expect(await world.token('api-gateway', audience)).toBe(token);
    await (await createOutsideClient(world.issuer.url)).verify(token, audience);
  }

  test.each(['SIGTERM', 'SIGKILL'] as const)('the agent, ended by %s', async (signal) => {
    const audience = world.newAudience();
    const token = await world.token('api-gateway', audience);
    const [ended, resumed] = [logged('bundles.stream_ended'), logged('bundles.recovered')];
    await world.spire.agent.stop(signal);
    await until(
      'the end of the stream',
      async () => logged('bundles.stream_ended'),
      (seen) => seen > ended,
      SOON,
    );
    await expectServed(token, audience);
    expect(await outcome(world.token('api-gateway', world.newAudience()))).toBe('identity_unavailable');

    // Meanwhile the keys change.
    const { prepared_authority } = JSON.parse(
      await world.spire.server.ctl('localauthority jwt prepare', '-output', 'json'),
    );
    expect(await publishedKeys(world.issuer.keysUrl)).not.toContain(prepared_authority.authority_id);

    await world.spire.agent.start();
    await until(
      'the stream',
      async () => logged('bundles.recovered'),
      (seen) => seen > resumed,
      SOON,
    );
    const keys = () => publishedKeys(world.issuer.keysUrl);
    await until('the new key', keys, (keyIds) => keyIds.includes(prepared_authority.authority_id), SOON);
    await expectServed(token, audience);
    const next = world.newAudience();
    await until(
      'a new token',
      () => outcome(world.token('api-gateway', next)),
      (seen) => seen === 'ok',
      SOON,
    );
  });

  test('the server: what the agent has it gives, and the stream does not even notice', async () => {
    const audience = world.newAudience();
    const token = await world.token('api-gateway', audience);
    const keys = await publishedKeys(world.issuer.keysUrl);
    const ended = logged('bundles.stream_ended');
    await world.spire.server.stop();
    await expectServed(token, audience);
    expect(await outcome(world.token('api-gateway', world.newAudience()))).toBe('identity_unavailable');

    await world.spire.server.start();
    const next = world.newAudience();
    await until(
      'a new token',
      () => outcome(world.token('api-gateway', next)),
      (seen) => seen === 'ok',
      SOON,
    );
    await expectServed(token, audience);
    expect(await publishedKeys(world.issuer.keysUrl)).toEqual(keys);
    expect(logged('bundles.stream_ended')).toBe(ended);
  });
});
