import { afterEach, describe, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { identities, NO_IDENTITY, NOT_A_DELEGATE } from './ask.ts';
import { selector } from './selector.ts';
import { type ContractWorld, PROPAGATION } from './world.ts';

const API = [selector('wasmcloud:component:api')];
/** Wrong in every other way that a request can be, beside its caller. */
const WRONG = { audience: [''], selectors: [{ type: '', value: '' }], pid: 1 };

export function describeCallers(world: ContractWorld): void {
  /** Changes what the agent thinks of us, and waits until it does. */
  async function become(caller: 'authorized' | 'unauthorized' | 'unknown'): Promise<void> {
    const delegate = world.delegate();
    await world.agent().setCaller(caller);
    const expected = { authorized: ['/team/api'], unauthorized: NOT_A_DELEGATE, unknown: NO_IDENTITY }[caller];
    const look = () => identities(delegate, API);
    await until(`to be ${caller}`, look, (seen) => JSON.stringify(seen) === JSON.stringify(expected), PROPAGATION);
  }

  describe.each([
    ['unknown', NO_IDENTITY],
    ['unauthorized', NOT_A_DELEGATE],
  ] as const)('a caller that is %s', (caller, refusal) => {
    afterEach(() => become('authorized'));

    test('is refused, before its request is looked at but for the audience', async () => {
      await become(caller);
      const delegate = world.delegate();
      expect(await delegate.fetch({ audience: ['a'], selectors: API })).toEqual(refusal);
      expect(await delegate.fetch(WRONG)).toEqual(refusal);
      expect(await delegate.fetch({ ...WRONG, audience: [] })).toEqual({
        code: 3,
        details: 'audience must be specified',
      });
      expect(await delegate.subscribe().next()).toEqual(refusal);
      expect(await delegate.subscribe('X.509').next()).toEqual(refusal);
    });

    test('and was authorized keeps its stream until there is something to send, and gets nothing of that', async () => {
      const stream = world.delegate().subscribe();
      expect(await stream.next()).toHaveProperty('bundles');
      await become(caller);
      const next = stream.next();
      expect(await Promise.race([next, Promise.resolve('open')])).toBe('open');
      await world.agent().prepare();
      expect(await next).toEqual(refusal);
    });
  });
}
