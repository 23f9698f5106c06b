import { afterAll, beforeAll, describe } from 'vitest';
import { createRawDelegate } from '../support/raw-delegate.ts';
import { describeBundles } from './bundles.ts';
import { describeCallers } from './callers.ts';
import { describeJwtSvids } from './jwt-svids.ts';
import { describeMatching } from './matching.ts';
import { describeRefusals } from './refusals.ts';
import { describeRotation } from './rotation.ts';
import { selector } from './selector.ts';
import type { ContractAgent, ContractEntry, ContractWorld } from './world.ts';

const ENTRIES: readonly ContractEntry[] = [
  { id: 'a-api', spiffeId: 'spiffe://example.org/team/api', selectors: ['wasmcloud:component:api'] },
  { id: 'b-ledger', spiffeId: 'spiffe://example.org/ledger', selectors: ['wasmcloud:component:ledger'] },
  { id: 'c-both', spiffeId: 'spiffe://example.org/both', selectors: ['wasmcloud:component:api', 'x:both'] },
  { id: 'd-twin', spiffeId: 'spiffe://example.org/twin', selectors: ['x:twin'], hint: 'first' },
  { id: 'e-twin', spiffeId: 'spiffe://example.org/twin', selectors: ['x:twin', 'x:twin2'], hint: 'second' },
  { id: 'f-admin', spiffeId: 'spiffe://example.org/admin', selectors: ['x:admin'], admin: true },
  { id: 'g-downstream', spiffeId: 'spiffe://example.org/downstream', selectors: ['x:downstream'], downstream: true },
  { id: 'h-short', spiffeId: 'spiffe://example.org/short', selectors: ['x:short'], ttl: 3 },
  { id: 'i-long', spiffeId: 'spiffe://example.org/long', selectors: ['x:long'], ttl: 172_800 },
];

/**
 * What SPIRE's Delegated Identity API does, call by call, as a description that any agent can be held against: the real
 * one, and the embedded one that people develop with.
 * @param setUp starts an agent with these entries, this process being an authorized delegate
 */
export function describeDelegatedIdentity(
  name: string,
  setUp: (entries: readonly ContractEntry[]) => Promise<ContractAgent>,
): void {
  describe(`the Delegated Identity API of ${name}`, () => {
    let agent: ContractAgent | undefined;
    let blankAudience: Promise<object> | undefined;
    const closers: (() => void)[] = [];
    const world: ContractWorld = {
      agent() {
        if (agent === undefined) throw new Error('the agent has not been started');
        return agent;
      },
      delegate: () => createRawDelegate(world.agent().socketPath),
      blankAudience: () => blankAudience ?? Promise.reject(new Error('nothing was asked')),
    };

    beforeAll(async () => {
      agent = await setUp(ENTRIES);
      const delegate = createRawDelegate(agent.socketPath, (close) => closers.push(close));
      blankAudience = delegate.fetch({ audience: ['', ''], selectors: [selector('wasmcloud:component:api')] });
    });
    afterAll(async () => {
      for (const close of closers) close();
      await agent?.close();
    });

    describeJwtSvids(world);
    describeMatching(world);
    describeBundles(world);
    describeRotation(world);
    describeCallers(world);
    describeRefusals(world);
  });
}
