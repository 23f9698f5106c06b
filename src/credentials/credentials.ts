import type { Secret } from '../base/secret.ts';

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

/** A short-lived credential: told apart by `kind`. */
export type Credentials = AwsCredentials;
