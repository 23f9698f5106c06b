import { describe, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { identities, NO_IDENTITY } from './ask.ts';
import { selector } from './selector.ts';
import { type ContractWorld, PROPAGATION } from './world.ts';

const API = selector('wasmcloud:component:api');
const LEDGER = selector('wasmcloud:component:ledger');

export function describeMatching(world: ContractWorld): void {
  describe('which entries match', () => {
    test.each([
      ['its one selector', [API], ['/team/api']],
      ['its selector twice', [API, API], ['/team/api']],
      ['its selector and one that nobody has', [selector('x:nobody'), API], ['/team/api']],
      ['the selectors of two entries', [LEDGER, API], ['/team/api', '/ledger']],
      ['the selectors of an entry of two', [selector('x:both'), API], ['/team/api', '/both']],
      ['the selectors of two entries of one identity', [selector('x:twin'), selector('x:twin2')], ['/twin', '/twin']],
    ])('%s', async (_, selectors, expected) => {
      expect(await identities(world.delegate(), selectors)).toEqual(expected);
    });

    test.each([
      ['half of the selectors of an entry', 'x:both'],
      ['another case in the value', 'wasmcloud:component:API'],
      ['another case in the type', 'Wasmcloud:component:api'],
      ['a blank more', 'wasmcloud:component:api '],
      ['a letter less', 'wasmcloud:component:ap'],
      ['a letter more', 'wasmcloud:component:api2'],
      ['a part of the value', 'wasmcloud:api'],
      ['a part of the type', 'component:api'],
      ['a pattern', 'wasmcloud:component:*'],
      ['the selectors of an administrator', 'x:admin'],
      ['the selectors of a downstream server', 'x:downstream'],
    ])('none by %s', async (_, text) => {
      expect(await identities(world.delegate(), [selector(text)])).toEqual(NO_IDENTITY);
    });

    test('administrators and downstream servers are passed over among others', async () => {
      const selectors = [selector('x:admin'), selector('x:downstream'), LEDGER];
      expect(await identities(world.delegate(), selectors)).toEqual(['/ledger']);
    });
  });

  test('an entry that comes is known, and one that goes is not, whatever the agent has in its cache', async () => {
    const delegate = world.delegate();
    const passing = [selector('x:passing')];
    expect(await identities(delegate, passing)).toEqual(NO_IDENTITY);
    await world.agent().createEntry({
      id: 'passing',
      spiffeId: 'spiffe://example.org/passing',
      selectors: ['x:passing'],
    });
    const look = () => identities(delegate, passing);
    await until('the entry', look, (seen) => Array.isArray(seen) && seen[0] === '/passing', PROPAGATION);
    await world.agent().deleteEntry('passing');
    expect(await until('its end', look, (seen) => !Array.isArray(seen), PROPAGATION)).toEqual(NO_IDENTITY);
  });
}
