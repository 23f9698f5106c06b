import { beforeAll, describe, expect, inject, test } from 'vitest';
import { until } from '../support/until.ts';
import { createOutsideClient, publishedKeys } from './support/outside-client.ts';
import { SOON, type SpireWorld, startSpireWorld } from './support/spire-world.ts';

describe.skipIf(inject('spire') === undefined)('the keys of a real SPIRE change', () => {
  let world: SpireWorld;
  beforeAll(async () => {
    // Tokens that live six seconds are renewed all the time.
    world = await startSpireWorld({ default_jwt_svid_ttl: '6s', jwt_key_type: 'ec-p256' });
    return world.close;
  });

  async function authority(command: string, ...flags: string[]): Promise<string> {
    return world.spire.server.ctl(`localauthority jwt ${command}`, ...flags);
  }

  async function prepare(): Promise<string> {
    return JSON.parse(await authority('prepare', '-output', 'json')).prepared_authority.authority_id;
  }

  async function untilPublished(isSo: (keyIds: readonly string[]) => boolean): Promise<void> {
    await until('the published keys', () => publishedKeys(world.issuer.keysUrl), isSo, SOON);
  }

  /** Verifies the tokens of both components, again and again, with a client of long standing and with new ones. */
  async function watch() {
    const { issuer } = world;
    const audience = world.newAudience();
    const old = await createOutsideClient(issuer.url);
    const failures: unknown[] = [];
    const signers = new Set<string>();
    let verified = 0;
    let over = false;
    const running = (async () => {
      while (!over) {
        for (const component of ['api-gateway', 'ledger']) {
          try {
            const token = await world.token(component, audience);
            signers.add(await old.verify(token, audience));
            await (await createOutsideClient(issuer.url)).verify(token, audience);
            verified += 1;
          } catch (error) {
            failures.push(error);
          }
        }
      }
    })();
    return {
      audience,
      signers,
      client: old,
      async end() {
        over = true;
        await running;
        return { failures, verified };
      },
    };
  }

  test('and outside, nobody notices: prepare, activate, taint and revoke, three times over', async () => {
    const watched = await watch();
    const client = await createOutsideClient(world.issuer.url);
    const tokens = () =>
      Promise.all(['api-gateway', 'ledger'].map((component) => world.token(component, watched.audience)));
    const signers = async () => Promise.all((await tokens()).map((token) => client.verify(token, watched.audience)));
    const [first = ''] = await signers();
    let old = first;

    for (let round = 0; round < 3; round += 1) {
      const next = await prepare();
      await untilPublished((keyIds) => keyIds.includes(next));
      expect(await signers()).not.toContain(next);
      await authority('activate', '-authorityID', next);
      await until('tokens of the new key', signers, (keyIds) => keyIds.every((keyId) => keyId === next), SOON);
      await authority('taint', '-authorityID', old);
      await authority('revoke', '-authorityID', old);
      await untilPublished((keyIds) => !keyIds.includes(old));
      old = next;
    }

    const { failures, verified } = await watched.end();
    expect(failures).toEqual([]);
    expect(verified).toBeGreaterThan(100);
    expect(watched.signers.size).toBe(4);
    // One fetch to begin with, and one for each key that it had not seen.
    expect(watched.client.fetches).toBe(4);
  });

  test('too fast: a token of a key that is not published yet verifies a moment later, and not before', async () => {
    const next = await prepare();
    await authority('activate', '-authorityID', next);
    const audience = world.newAudience();
    const client = await createOutsideClient(world.issuer.url);
    const verify = async () => client.verify(await world.token('ledger', audience), audience).catch(String);
    await until('verification', verify, (seen) => seen === next, SOON);
    expect(await publishedKeys(world.issuer.keysUrl)).toContain(next);
  });
});
