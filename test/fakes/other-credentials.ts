import { Secret } from '../../src/base/secret.ts';
import type { AccessToken, BoundAccessToken, VaultToken } from '../../src/credentials/credentials.ts';

const EXPIRES_AT = Date.parse('2026-11-22T12:15:00.999Z');

/** An access token of this kind of target. */
export function accessToken(kind: AccessToken['kind']): AccessToken {
  return { kind, token: new Secret(`the-token-of-${kind}`), tokenType: 'Bearer', expiresAt: EXPIRES_AT };
}

/** The private key that the bound access token comes with. */
export const PROOF_KEY = JSON.stringify({
  kty: 'EC',
  crv: 'P-256',
  x: 'x',
  y: 'y',
  d: 'the-private-key',
  alg: 'ES256',
});

export function boundAccessToken(): BoundAccessToken {
  return {
    kind: 'oauth',
    token: new Secret('the-token-of-oauth'),
    tokenType: 'DPoP',
    proofKey: new Secret(PROOF_KEY),
    expiresAt: EXPIRES_AT,
  };
}

export function vaultToken(namespace: string | undefined): VaultToken {
  return {
    kind: 'vault',
    token: new Secret('the-token-of-vault'),
    expiresAt: EXPIRES_AT,
    address: 'https://vault.example.org',
    namespace,
    renewable: true,
  };
}
