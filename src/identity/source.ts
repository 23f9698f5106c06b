import type { Health } from '../base/health.ts';
import type { Audience } from '../spiffe/audience.ts';
import type { JwtBundle } from '../spiffe/jwt-bundle.ts';
import type { JwtSvid } from '../spiffe/jwt-svid.ts';
import type { Selector } from '../spiffe/selector.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import type { X509Bundle } from '../spiffe/x509-bundle.ts';

/** Whose identity is asked for: the exact SPIFFE ID, and the selectors that prove it to SPIRE. */
export interface Subject {
  readonly spiffeId: SpiffeId;
  readonly selectors: readonly Selector[];
}

/** Where JWT-SVIDs come from. */
export interface JwtSvidSource {
  /**
   * A JWT-SVID for exactly this subject and exactly these audiences, not expired.
   * @throws SvidxError `identity_*`
   */
  fetchJwtSvid(subject: Subject, audience: Audience, signal: AbortSignal): Promise<JwtSvid>;
}

/** Where the public keys of trust domains come from: always the last good ones, kept current in the background. */
export interface BundleSource<B> {
  get(trustDomain: TrustDomain): B | undefined;
  /** All bundles that are held: our own trust domain's and those of the ones it federates with. */
  all(): readonly B[];
  /** Calls `listener` after each change of any bundle. Returns the function that ends the subscription. */
  onChange(listener: () => void): () => void;
  /** Whether there are keys, and whether what they come from still answers. */
  health(): Health;
}

/** A bundle source at work: it stays connected, polls or watches until it is closed. */
export interface RunningBundleSource<B> extends BundleSource<B> {
  /**
   * Looks upstream soon rather than when it is due: whoever calls has seen a signature of a key that is not held.
   * May be called at any rate.
   */
  hurry(): void;
  /** Lets go of everything; no listener is called any more. May be called again. */
  close(): void;
}

/** The keys that JWT-SVIDs are signed with. */
export type JwtBundleSource = BundleSource<JwtBundle>;
export type RunningJwtBundleSource = RunningBundleSource<JwtBundle>;

/** The certificate authorities that X509-SVIDs are signed with. */
export type X509BundleSource = BundleSource<X509Bundle>;
export type RunningX509BundleSource = RunningBundleSource<X509Bundle>;
