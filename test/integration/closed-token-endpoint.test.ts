import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { eventually } from '../support/eventually.ts';
import { API_POLICY, LEDGER_POLICY, startWorld, type World } from '../support/world.ts';

const SUBJECTS = "tokenEndpoint: { subjects: ['spiffe://example.org/team/batch'] }\n";
const BOTH = { 'api.yaml': `${API_POLICY}${SUBJECTS}`, 'ledger.yaml': LEDGER_POLICY };
const BOOKS_POLICY = API_POLICY.replaceAll('api', 'books').replace('models:', 'books:');

function warnings({ log }: World): unknown[] {
  return log.entries().filter(({ event }) => event === 'policies.token_endpoint_closed');
}

describe('policies with subjects for a token endpoint that is closed', () => {
  test('are warned of at the start, by the names of their components', async () => {
    const world = await startWorld({ policies: BOTH });
    expect(warnings(world)).toMatchObject([{ level: 'warn', components: ['api'] }]);
  });

  test('are warned of when they come into force later, and at each change that leaves them so', async () => {
    // The folder is looked at as fast as it can be.
    const clock: Clock = {
      now: systemClock.now,
      after: (ms, callback) => systemClock.after(ms === 2_000 ? 1 : ms, callback),
    };
    const world = await startWorld({ clock });
    expect(warnings(world)).toEqual([]);
    const change = async (name: string, text: string, count: number): Promise<void> => {
      await writeFile(join(world.policyFolder, 'new'), text);
      await rename(join(world.policyFolder, 'new'), join(world.policyFolder, name));
      await eventually(async () =>
        expect(world.log.entries().filter(({ event }) => event === 'policies.changed')).toHaveLength(count),
      );
    };
    await change('api.yaml', `${API_POLICY}${SUBJECTS}`, 1);
    expect(warnings(world)).toMatchObject([{ components: ['api'] }]);
    await change('books.yaml', `${BOOKS_POLICY}${SUBJECTS}`, 2);
    expect(warnings(world).slice(1)).toMatchObject([{ components: ['api', 'books'] }]);
    await change('api.yaml', API_POLICY, 3);
    expect(warnings(world).slice(2)).toMatchObject([{ components: ['books'] }]);
    await change('books.yaml', BOOKS_POLICY, 4);
    expect(warnings(world)).toHaveLength(3);
  });

  test('are not warned of where it is open, nor are policies without', async () => {
    expect(warnings(await startWorld({ policies: BOTH, tokenEndpoint: {} }))).toEqual([]);
    expect(warnings(await startWorld())).toEqual([]);
  });
});
