import { SvidxError } from '../../base/errors.ts';
import { type BundleStreamDeps, type BundleStreamOptions, createBundleStream } from '../bundle-stream.ts';
import type { Bundle } from '../held-bundles.ts';
import type { RunningBundleSource } from '../source.ts';
import type { DelegatedIdentityApi } from './api.ts';
import { isNoIdentityIssued, notADelegate, toIdentityError } from './status.ts';

export interface DelegatedBundleSourceDeps extends BundleStreamDeps {
  /** Makes a client for one stream, which is closed with it. */
  connect(): DelegatedIdentityApi;
}

interface DelegatedBundleSourceOptions<B>
  extends DelegatedBundleSourceDeps,
    Pick<BundleStreamOptions<B>, 'kind' | 'parse'> {
  /** Which of the API's streams. */
  readonly stream: 'subscribeToJwtBundles' | 'subscribeToX509Bundles';
}

/** Bundles, our own trust domain's and those it federates with, from SPIRE's Delegated Identity API. */
export function createDelegatedBundleSource<B extends Bundle<B>>(
  options: DelegatedBundleSourceOptions<B>,
): RunningBundleSource<B> {
  return createBundleStream<B>({
    ...options,
    subscribe(handlers) {
      const api = options.connect();
      const cancel = api[options.stream]({
        onMessage: handlers.onMessage,
        onEnd(error) {
          api.close();
          handlers.onEnd(error);
        },
      });
      return () => {
        cancel();
        api.close();
      };
    },
    toError: toStreamError,
  });
}

function toStreamError(error: unknown): SvidxError {
  if (error === undefined) return new SvidxError('identity_unavailable', 'the SPIRE agent closed the bundle stream');
  // The stream asks for no component's identity, so whoever has none is this service.
  if (isNoIdentityIssued(error)) return notADelegate('this service itself has no identity at the agent');
  return toIdentityError(error);
}
