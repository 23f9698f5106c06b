import type { JwtBundleSource } from '../../src/identity/source.ts';
import { JwtBundle } from '../../src/spiffe/jwt-bundle.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';

/** A bundle source whose bundles a test sets; like the real one it tells of changes. */
export interface FakeBundleSource extends JwtBundleSource {
  /** Replaces the bundle of `example.org`, `undefined` for none, and tells all listeners. */
  set(keys: readonly object[] | undefined): void;
}

export function createFakeBundleSource(initial?: readonly object[]): FakeBundleSource {
  const trustDomain = TrustDomain.parse('example.org');
  const listeners = new Set<() => void>();
  let bundle = toBundle(initial);

  function toBundle(keys: readonly object[] | undefined): JwtBundle | undefined {
    return keys === undefined ? undefined : JwtBundle.parse(trustDomain, JSON.stringify({ keys }));
  }

  return {
    get: (wanted) => (wanted.equals(trustDomain) ? bundle : undefined),
    all: () => (bundle === undefined ? [] : [bundle]),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    health: () => ({ state: bundle === undefined ? 'down' : 'up', reason: 'as the test has set it' }),
    set(keys) {
      bundle = toBundle(keys);
      for (const listener of listeners) listener();
    },
  };
}
