import type { AwsCredentials, Credentials } from '../../src/credentials/credentials.ts';

/** Credentials that a test knows to be of AWS. */
export function asAws(credentials: Credentials): AwsCredentials {
  if (credentials.kind !== 'aws') throw new Error(`expected credentials of AWS, and got ${credentials.kind}`);
  return credentials;
}
