import type { ComponentRights, Hosting } from '../../src/broker/hosting.ts';

/** All that a policy can grant, but for somewhere to send requests to. */
export const ALL_RIGHTS: ComponentRights = {
  identity: true,
  credentials: true,
  wasi: new Set(['clocks', 'random', 'stdio']),
  config: new Map([['greeting', 'hello']]),
  egress: [],
  injections: [],
};

/** Gives the same rights to everybody. */
export function createFakeHosting(rights: Partial<ComponentRights> = {}): Hosting {
  return { rights: async () => ({ ...ALL_RIGHTS, ...rights }) };
}
