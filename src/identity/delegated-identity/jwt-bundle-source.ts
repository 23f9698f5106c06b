import { SvidxError } from '../../base/errors.ts';
import { type BundleStreamOptions, createBundleStream } from '../bundle-stream.ts';
import type { RunningJwtBundleSource } from '../source.ts';
import type { DelegatedIdentityApi } from './api.ts';
import { isNoIdentityIssued, notADelegate, toIdentityError } from './status.ts';

export interface DelegatedJwtBundleSourceOptions extends Omit<BundleStreamOptions, 'subscribe' | 'toError'> {
  /** Makes a client for one stream, which is closed with it. */
  connect(): DelegatedIdentityApi;
}

/** JWT bundles, our own trust domain's and those it federates with, from SPIRE's Delegated Identity API. */
export function createDelegatedJwtBundleSource(options: DelegatedJwtBundleSourceOptions): RunningJwtBundleSource {
  return createBundleStream({
    ...options,
    subscribe(handlers) {
      const api = options.connect();
      const cancel = api.subscribeToJwtBundles({
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
