import type { Health } from '../base/health.ts';
import type { Audience } from '../spiffe/audience.ts';
import type { JwtBundle, JwtBundleSet } from '../spiffe/jwt-bundle.ts';
import type { JwtSvid } from '../spiffe/jwt-svid.ts';
import type { Selector } from '../spiffe/selector.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';

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
export interface JwtBundleSource extends JwtBundleSet {
  /** All bundles that are held: our own trust domain's and those of the ones it federates with. */
  all(): readonly JwtBundle[];
  /** Calls `listener` after each change of any bundle. Returns the function that ends the subscription. */
  onChange(listener: () => void): () => void;
  /** Whether there are keys, and whether what they come from still answers. */
  health(): Health;
}

/** A bundle source at work: it stays connected, polls or watches until it is closed. */
export interface RunningJwtBundleSource extends JwtBundleSource {
  /**
   * Looks upstream soon rather than when it is due: whoever calls has a token that was signed with a key that is not held.
   * May be called at any rate.
   */
  hurry(): void;
  /** Lets go of everything; no listener is called any more. May be called again. */
  close(): void;
}
