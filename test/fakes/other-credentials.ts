import { Secret } from '../../src/base/secret.ts';
import type { AccessToken, VaultToken } from '../../src/credentials/credentials.ts';

const EXPIRES_AT = Date.parse('2026-11-22T12:15:00.999Z');

/** An access token of this kind of target. */
export function accessToken(kind: AccessToken['kind']): AccessToken {
  return { kind, token: new Secret(`the-token-of-${kind}`), tokenType: 'Bearer', expiresAt: EXPIRES_AT };
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
