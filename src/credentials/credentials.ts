import { Secret } from '../base/secret.ts';

/** What AWS STS gives: a key that works until `expiresAt`. */
export interface AwsCredentials {
  readonly kind: 'aws';
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  readonly sessionToken: Secret;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  readonly region: string;
}

/** An OAuth 2.0 bearer token of Entra ID, Google Cloud or any other authorization server. */
export interface AccessToken {
  readonly kind: 'azure' | 'gcp' | 'oauth';
  readonly token: Secret;
  /** How the token is presented; `Bearer` in the `Authorization` header (RFC 6750). */
  readonly tokenType: 'Bearer';
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/**
 * An OAuth 2.0 access token that is bound to a key (DPoP, RFC 9449): of no use without a proof that is signed with that key,
 * so the key goes where the token goes.
 */
export interface BoundAccessToken {
  readonly kind: 'oauth';
  readonly token: Secret;
  /** How the token is presented; `DPoP` in the `Authorization` header, with a proof in `DPoP` (RFC 9449 section 7.1). */
  readonly tokenType: 'DPoP';
  /** The private key, a JWK as JSON text (RFC 7517; P-256, for ES256). Made for this token, and good for no other. */
  readonly proofKey: Secret;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** A token of Vault or OpenBao. */
export interface VaultToken {
  readonly kind: 'vault';
  readonly token: Secret;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** The server, a URL without a trailing slash, and the namespace that the token is of. */
  readonly address: string;
  readonly namespace: string | undefined;
  /** Whether the server prolongs it. */
  readonly renewable: boolean;
}

/** A short-lived credential: told apart by `kind`. */
export type Credentials = AwsCredentials | AccessToken | BoundAccessToken | VaultToken;

/** What credentials are to somebody who is to use them: their kind, but for access tokens that are bound to a key. */
export type CredentialShape = Credentials['kind'] | 'oauth-bound';

export function shapeOf(credentials: Credentials): CredentialShape {
  return 'proofKey' in credentials ? 'oauth-bound' : credentials.kind;
}

/** Everything in it that no log and no error may hold; of AWS also the access key ID, which names the session. */
export function secretsOf(credentials: Credentials): readonly Secret[] {
  if (credentials.kind === 'aws') {
    return [new Secret(credentials.accessKeyId), credentials.secretAccessKey, credentials.sessionToken];
  }
  return 'proofKey' in credentials ? [credentials.token, credentials.proofKey] : [credentials.token];
}
