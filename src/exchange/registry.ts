import type { Grant } from '../credentials/grant.ts';
import type { Exchanger } from './exchanger.ts';

/** One loader for each kind of grant. A target's SDK is heavy, so it is loaded when the first exchange needs it. */
export type ExchangerLoaders = { readonly [K in Grant['kind']]: () => Promise<Exchanger<Extract<Grant, { kind: K }>>> };

/** One exchanger for all kinds of grants: finds the one for the grant's kind, loading it on first use. */
export function createExchangerRegistry(loaders: ExchangerLoaders): Exchanger {
  const loaded = new Map<Grant['kind'], Promise<Exchanger>>();

  function load(kind: Grant['kind']): Promise<Exchanger> {
    const loading = loaders[kind]();
    loaded.set(kind, loading);
    // What could not be loaded this time is loaded anew when it is next needed.
    loading.catch(() => loaded.delete(kind));
    return loading;
  }

  return {
    async exchange(subjectToken, grant, context) {
      const exchanger = await (loaded.get(grant.kind) ?? load(grant.kind));
      return exchanger.exchange(subjectToken, grant, context);
    },
  };
}
