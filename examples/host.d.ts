/** What the host gives to components, as TypeScript sees it. The contracts themselves are in `wit/`. */

declare module 'wasmcloud:identity/store@0.0.1' {
  export type IdentityError = { tag: 'io'; val: string } | { tag: 'not-found' } | { tag: 'other'; val: string };
  /** A JWT-SVID of this component. Throws an error whose `payload` is an `IdentityError`. */
  export function get(audience: string): string | undefined;
}

declare module 'svidx:credentials/store@0.1.0' {
  export interface AwsCredentials {
    accessKeyId: string;
    secretAccessKey: string;
    sessionToken: string;
    /** Seconds since 1970. */
    expiration: bigint;
    region: string;
  }
  export interface AccessToken {
    token: string;
    /** `Bearer`, or `DPoP` where the token is bound to a key. */
    tokenType: string;
    /** With `DPoP`: the private key, a JWK as JSON text. */
    proofKey?: string;
    /** Seconds since 1970. */
    expiration: bigint;
  }
  export interface VaultToken {
    token: string;
    address: string;
    namespace?: string;
    /** Seconds since 1970. */
    expiration: bigint;
  }
  export type Credentials =
    | { tag: 'aws'; val: AwsCredentials }
    | { tag: 'azure' | 'gcp' | 'oauth'; val: AccessToken }
    | { tag: 'vault'; val: VaultToken };
  export interface Failure {
    code: string;
    message: string;
  }
  export type CredentialsError = {
    tag: 'denied' | 'no-identity' | 'rejected' | 'unavailable' | 'internal';
    val: Failure;
  };
  /** The credentials of a grant. Throws an error whose `payload` is a `CredentialsError`. */
  export function get(grant: string): Credentials;
}
