import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import type { DelegatedIdentityApi } from '../identity/delegated-identity/api.ts';

/** What the bundle stream begins with: from trust domain (its SPIFFE ID or its name) to JWK Set; or how it ends. */
export type FirstBundles = { readonly bundles: Readonly<Record<string, Uint8Array>> } | { readonly error: unknown };

/**
 * Opens the agent's bundle stream for its first message. It asks for nobody's identity, so it tells what the agent thinks
 * of the caller alone.
 * @param limitMs milliseconds
 */
export function firstBundles(api: DelegatedIdentityApi, clock: Clock, limitMs: number): Promise<FirstBundles> {
  return new Promise((resolve) => {
    const settle = (answer: FirstBundles): void => {
      timer.cancel();
      cancelStream();
      resolve(answer);
    };
    const cancelStream = api.subscribeToJwtBundles({
      onMessage: (bundles) =>
        settle(bundles === undefined ? { error: unavailable('the first bundle message cannot be read') } : { bundles }),
      onEnd: (error) => settle({ error: error ?? unavailable('the agent closed the bundle stream') }),
    });
    const timer = clock.after(limitMs, () => settle({ error: unavailable(`no answer within ${limitMs / 1000} s`) }));
  });
}

function unavailable(problem: string): SvidxError {
  return new SvidxError('identity_unavailable', problem);
}
