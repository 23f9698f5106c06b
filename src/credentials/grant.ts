import { z } from 'zod';
import type { CredentialShape } from './credentials.ts';
import { audienceText } from './grants/audience.ts';
import { AWS_DEFAULT_AUDIENCE, type AwsGrant, awsGrant, awsGrantDocument } from './grants/aws.ts';
import { AZURE_DEFAULT_AUDIENCE, type AzureGrant, azureGrant, azureGrantDocument } from './grants/azure.ts';
import { type GcpGrant, gcpGrant, gcpGrantDocument } from './grants/gcp.ts';
import { type OAuthGrant, oauthGrant, oauthGrantDocument } from './grants/oauth.ts';
import { type VaultGrant, vaultGrant, vaultGrantDocument } from './grants/vault.ts';

/** The kinds of targets, as grants and credentials name them. */
export const GRANT_KINDS = ['aws', 'azure', 'gcp', 'vault', 'oauth'] as const;

/** A credential that a component may have: told apart by `kind`. */
export type Grant = AwsGrant | AzureGrant | GcpGrant | VaultGrant | OAuthGrant;

/** What is expected of a grant that has no target, or several. */
export const ONE_TARGET = `expected exactly one of ${GRANT_KINDS.join(', ')}`;
/** The shape of the credentials that it gives. */
export function shapeOfGrant(grant: Grant): CredentialShape {
  return grant.kind === 'oauth' && grant.dpop ? 'oauth-bound' : grant.kind;
}

/** The document of one grant: exactly one target, and the audience of the JWT-SVID that is exchanged for it. */
export const grantDocument = z.strictObject({
  aws: awsGrantDocument.optional(),
  azure: azureGrantDocument.optional(),
  gcp: gcpGrantDocument.optional(),
  vault: vaultGrantDocument.optional(),
  oauth: oauthGrantDocument.optional(),
  audience: audienceText
    .optional()
    .describe(
      `The audience of the exchanged JWT-SVID. Where it is left out, the target's own: ${AWS_DEFAULT_AUDIENCE}, ` +
        `${AZURE_DEFAULT_AUDIENCE}, the full name of the Google Cloud provider, the address of the Vault server, the ` +
        'issuer of the authorization server.',
    ),
});

/** What the document's types do not say, for its JSON Schema. */
export const grantDocumentMeta = { oneOf: GRANT_KINDS.map((kind) => ({ required: [kind] })) };

/** The grant of a document; `undefined` where it has no target, or several: {@link ONE_TARGET}. */
export function toGrant(document: z.output<typeof grantDocument>): Grant | undefined {
  const { aws, azure, gcp, vault, oauth, audience } = document;
  const grants = [
    aws && awsGrant(aws, audience),
    azure && azureGrant(azure, audience),
    gcp && gcpGrant(gcp, audience),
    vault && vaultGrant(vault, audience),
    oauth && oauthGrant(oauth, audience),
  ].filter((grant) => grant !== undefined);
  const [grant] = grants;
  return grant !== undefined && grants.length === 1 ? Object.freeze(grant) : undefined;
}

export const grantSchema = grantDocument.meta(grantDocumentMeta).transform((document, context): Grant => {
  const grant = toGrant(document);
  if (grant !== undefined) return grant;
  context.addIssue({ code: 'custom', message: ONE_TARGET });
  return z.NEVER;
});
