import type { BoundAccessToken, Credentials } from '../../src/credentials/credentials.ts';

/** Credentials that are a token bound to a key. */
export function bound(credentials: Credentials): BoundAccessToken {
  if ('proofKey' in credentials) return credentials;
  throw new Error('expected a token that is bound to a key');
}

/** The private key in them. */
export function keyOf(credentials: Credentials) {
  const jwk: { kty: string; crv: string; x: string; y: string; d: string } = JSON.parse(
    bound(credentials).proofKey.reveal(),
  );
  return jwk;
}
