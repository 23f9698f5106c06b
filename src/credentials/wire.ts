import { z } from 'zod';
import { Secret } from '../base/secret.ts';
import type { Credentials } from './credentials.ts';

/** Credentials in the clear, as the private socket and `svidx credentials --format json` have them. */
export const credentialFieldsSchema = z.object({
  kind: z.literal('aws'),
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
  sessionToken: z.string(),
  /** ISO 8601 in UTC. */
  expiration: z.iso.datetime(),
  region: z.string(),
});

export type CredentialFields = Readonly<z.output<typeof credentialFieldsSchema>>;

/** Credentials with their secrets in the clear, for a serializer. */
export function credentialFields(credentials: Credentials): CredentialFields {
  return {
    kind: credentials.kind,
    accessKeyId: credentials.accessKeyId,
    secretAccessKey: credentials.secretAccessKey.reveal(),
    sessionToken: credentials.sessionToken.reveal(),
    expiration: new Date(credentials.expiresAt).toISOString(),
    region: credentials.region,
  };
}

/** The inverse: fields that arrived over the private socket. */
export function credentialsFromFields(fields: CredentialFields): Credentials {
  return Object.freeze({
    kind: fields.kind,
    accessKeyId: fields.accessKeyId,
    secretAccessKey: new Secret(fields.secretAccessKey),
    sessionToken: new Secret(fields.sessionToken),
    expiresAt: Date.parse(fields.expiration),
    region: fields.region,
  });
}
