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

/** The shape of the credentials that it gives. */
export function shapeOfGrant(grant: Grant): CredentialShape {
  return grant.kind === 'oauth' && grant.dpop ? 'oauth-bound' : grant.kind;
}

const ONE_TARGET = `expected exactly one of ${GRANT_KINDS.join(', ')}`;

/** The document of one grant: exactly one target, and the audience of the JWT-SVID that is exchanged for it. */
export const grantSchema = z
  .strictObject({
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
  })
  .meta({ oneOf: GRANT_KINDS.map((kind) => ({ required: [kind] })) })
  .transform(({ aws, azure, gcp, vault, oauth, audience }, context): Grant => {
    const grants = [
      aws && awsGrant(aws, audience),
      azure && azureGrant(azure, audience),
      gcp && gcpGrant(gcp, audience),
      vault && vaultGrant(vault, audience),
      oauth && oauthGrant(oauth, audience),
    ].filter((grant) => grant !== undefined);
    const [grant] = grants;
    if (grant !== undefined && grants.length === 1) return Object.freeze(grant);
    context.addIssue({ code: 'custom', message: ONE_TARGET });
    return z.NEVER;
  });
