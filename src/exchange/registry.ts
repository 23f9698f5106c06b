import type { Grant } from '../credentials/grant.ts';
import type { Exchanger } from './exchanger.ts';

/** One loader for each kind of grant. A target's SDK is heavy, so it is loaded when the first exchange needs it. */
export type ExchangerLoaders = { readonly [K in Grant['kind']]: () => Promise<Exchanger<Extract<Grant, { kind: K }>>> };

/** One exchanger for all kinds of grants: finds the one for the grant's kind, loading it on first use. */
export function createExchangerRegistry(loaders: ExchangerLoaders): Exchanger {
  const loaded = new Map<Grant['kind'], Promise<Exchanger>>();
  return {
    async exchange(subjectToken, grant, signal) {
      const exchanger = loaded.get(grant.kind) ?? loaders[grant.kind]();
      loaded.set(grant.kind, exchanger);
      return (await exchanger).exchange(subjectToken, grant, signal);
    },
  };
}
