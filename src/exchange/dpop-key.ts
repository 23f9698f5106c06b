import { type Configuration, type DPoPHandle, getDPoPHandle, modifyAssertion, randomDPoPKeyPair } from 'openid-client';
import type { Clock } from '../base/clock.ts';
import { Secret } from '../base/secret.ts';

/** A key that one access token will be bound to (RFC 9449). */
export interface DpopKey {
  /** What signs the proofs of the token requests. It answers the server's demand for a nonce, too (section 8). */
  readonly handle: DPoPHandle;
  /** A JWK as JSON text, for whoever is handed the token. */
  readonly privateKey: Secret;
}

/** The algorithm that every server with DPoP is known to take. */
const ALGORITHM = 'ES256';

/** Makes a new key, in memory only, for one token request and what comes of it. */
export async function createDpopKey(configuration: Configuration, clock: Clock): Promise<DpopKey> {
  const pair = await randomDPoPKeyPair(ALGORITHM, { extractable: true });
  const { kty, crv, x, y, d } = await crypto.subtle.exportKey('jwk', pair.privateKey);
  const handle = getDPoPHandle(configuration, pair, {
    // The library's own time is the system's.
    [modifyAssertion]: (_header, payload) => {
      payload['iat'] = Math.floor(clock.now() / 1000);
    },
  });
  return { handle, privateKey: new Secret(JSON.stringify({ kty, crv, x, y, d, alg: ALGORITHM })) };
}
