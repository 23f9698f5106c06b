import { z } from 'zod';
import { Secret } from '../base/secret.ts';
import type { Credentials } from './credentials.ts';

/** ISO 8601 in UTC. */
const expiration = z.iso.datetime();

const accessTokenFields = { token: z.string(), tokenType: z.literal('Bearer'), expiration };

/** Credentials in the clear, as the private socket and `svidx credentials --format json` have them. */
export const credentialFieldsSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('aws'),
    accessKeyId: z.string(),
    secretAccessKey: z.string(),
    sessionToken: z.string(),
    expiration,
    region: z.string(),
  }),
  z.object({ kind: z.literal('azure'), ...accessTokenFields }),
  z.object({ kind: z.literal('gcp'), ...accessTokenFields }),
  z.discriminatedUnion('tokenType', [
    z.object({ kind: z.literal('oauth'), ...accessTokenFields }),
    z.object({
      kind: z.literal('oauth'),
      ...accessTokenFields,
      tokenType: z.literal('DPoP'),
      /** A JWK as JSON text. */
      proofKey: z.string(),
    }),
  ]),
  z.object({
    kind: z.literal('vault'),
    token: z.string(),
    expiration,
    address: z.string(),
    namespace: z.string().optional(),
    renewable: z.boolean(),
  }),
]);

export type CredentialFields = Readonly<z.output<typeof credentialFieldsSchema>>;

/** Credentials with their secrets in the clear, for a serializer. */
export function credentialFields(credentials: Credentials): CredentialFields {
  const expiration = new Date(credentials.expiresAt).toISOString();
  switch (credentials.kind) {
    case 'aws':
      return {
        kind: credentials.kind,
        accessKeyId: credentials.accessKeyId,
        secretAccessKey: credentials.secretAccessKey.reveal(),
        sessionToken: credentials.sessionToken.reveal(),
        expiration,
        region: credentials.region,
      };
    case 'vault':
      return {
        kind: credentials.kind,
        token: credentials.token.reveal(),
        expiration,
        address: credentials.address,
        ...(credentials.namespace === undefined ? {} : { namespace: credentials.namespace }),
        renewable: credentials.renewable,
      };
    default: {
      const token = credentials.token.reveal();
      if (credentials.tokenType === 'Bearer') {
        return { kind: credentials.kind, token, tokenType: credentials.tokenType, expiration };
      }
      const { kind, tokenType, proofKey } = credentials;
      return { kind, token, tokenType, proofKey: proofKey.reveal(), expiration };
    }
  }
}

/** The inverse: fields that arrived over the private socket. */
export function credentialsFromFields(fields: CredentialFields): Credentials {
  const expiresAt = Date.parse(fields.expiration);
  switch (fields.kind) {
    case 'aws':
      return Object.freeze({
        kind: fields.kind,
        accessKeyId: fields.accessKeyId,
        secretAccessKey: new Secret(fields.secretAccessKey),
        sessionToken: new Secret(fields.sessionToken),
        expiresAt,
        region: fields.region,
      });
    case 'vault':
      return Object.freeze({
        kind: fields.kind,
        token: new Secret(fields.token),
        expiresAt,
        address: fields.address,
        namespace: fields.namespace,
        renewable: fields.renewable,
      });
    default: {
      const token = new Secret(fields.token);
      if (fields.tokenType === 'Bearer') {
        return Object.freeze({ kind: fields.kind, token, tokenType: fields.tokenType, expiresAt });
      }
      const { kind, tokenType, proofKey } = fields;
      return Object.freeze({ kind, token, tokenType, proofKey: new Secret(proofKey), expiresAt });
    }
  }
}
