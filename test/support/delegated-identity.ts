import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { createDelegatedIdentityApi, type DelegatedIdentityApi } from '../../src/identity/delegated-identity/api.ts';
import { createDelegatedJwtSvidSource } from '../../src/identity/delegated-identity/jwt-svid-source.ts';
import type { JwtSvidSource, Subject } from '../../src/identity/source.ts';
import { parseSelector } from '../../src/spiffe/selector.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';

/** A client of the agent at this socket, closed with the test. */
export function connectApi(socketPath: string): DelegatedIdentityApi {
  const api = createDelegatedIdentityApi(socketPath);
  onTestFinished(() => api.close());
  return api;
}

export function connectSvidSource(
  socketPath: string,
  options: { clock?: Clock; timeoutMs?: number } = {},
): JwtSvidSource {
  return createDelegatedJwtSvidSource({
    api: connectApi(socketPath),
    clock: options.clock ?? systemClock,
    timeoutMs: options.timeoutMs ?? 5_000,
  });
}

/** Whose identity is asked for, the selectors in text form. */
export function subject(spiffeId: string, ...selectors: string[]): Subject {
  return {
    spiffeId: SpiffeId.parse(spiffeId),
    selectors: selectors.map((text) => {
      const selector = parseSelector(text);
      if (selector === undefined) throw new Error(`not a selector: ${text}`);
      return selector;
    }),
  };
}

export const API = subject('spiffe://example.org/api', 'wasmcloud:component:api');

/** A signal that nobody aborts. */
export function unaborted(): AbortSignal {
  return new AbortController().signal;
}
