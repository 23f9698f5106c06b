import { z } from 'zod';
import { isSecureUrl } from '../../base/http-url.ts';

const issuerText = z
  .string()
  .max(2048)
  .refine(isSecureUrl, 'expected an https URL without credentials, query and fragment')
  .refine((text) => !text.includes('/.well-known/'), 'expected the issuer itself, not where its metadata are');

/** RFC 8707 section 2: an absolute URI without a fragment. */
const resourceText = z
  .string()
  .max(2048)
  .refine((text) => URL.canParse(text) && !/[#\s\p{Cc}]/u.test(text), 'expected an absolute URI without a fragment');

/** RFC 6749 section 3.3. */
const scopeText = z
  .string()
  .max(2048)
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/, 'expected scopes with one space between them');

const audienceName = z
  .string()
  .max(2048)
  .regex(/^\P{Cc}+$/u, 'expected a name without control characters');

export const OAUTH_FLOWS = ['token-exchange', 'jwt-bearer', 'client-credentials'] as const;
export const OAUTH_ASSERTION_TYPES = ['jwt-bearer', 'jwt-spiffe'] as const;

export const oauthGrantDocument = z
  .strictObject({
    issuer: issuerText.describe('The authorization server. Its metadata are discovered from there.'),
    flow: z
      .enum(OAUTH_FLOWS)
      .default('token-exchange')
      .describe(
        'What the JWT-SVID is: the subject token (RFC 8693), the authorization grant (RFC 7523) or the client assertion.',
      ),
    clientId: z
      .string()
      .max(2048)
      .regex(/^[\x20-\x7e]+$/, 'expected a client ID of printable ASCII')
      .optional()
      .describe('The client ID, where the server wants one.'),
    assertionType: z
      .enum(OAUTH_ASSERTION_TYPES)
      .optional()
      .describe(
        'With `client-credentials`: `jwt-spiffe` for the client assertion of the SPIFFE draft. The standard one where it is left out.',
      ),
    resource: z
      .array(resourceText)
      .min(1)
      .max(20)
      .optional()
      .describe('Where the access token will be used (RFC 8707).'),
    targetAudience: z
      .array(audienceName)
      .min(1)
      .max(20)
      .optional()
      .describe('With `token-exchange`: the logical names of where the access token will be used.'),
    scope: scopeText.optional().describe('What the access token may be used for.'),
    dpop: z
      .boolean()
      .default(false)
      .describe(
        'Have the access token bound to a key (DPoP, RFC 9449) that is made for it and handed out with it. A token that is not bound is refused then.',
      ),
  })
  .superRefine(({ flow, assertionType, targetAudience }, context) => {
    // What a flow does not send would be dropped without a word.
    if (assertionType !== undefined && flow !== 'client-credentials') {
      context.addIssue({
        code: 'custom',
        path: ['assertionType'],
        message: 'expected only with flow client-credentials',
      });
    }
    if (targetAudience !== undefined && flow !== 'token-exchange') {
      context.addIssue({ code: 'custom', path: ['targetAudience'], message: 'expected only with flow token-exchange' });
    }
  })
  .describe('Any OAuth 2.0 authorization server.');

/** An access token of an OAuth 2.0 authorization server. */
export interface OAuthGrant {
  readonly kind: 'oauth';
  /** The one audience of the JWT-SVID that is exchanged. */
  readonly audience: string;
  /** What the audit names: the authorization server's issuer. */
  readonly target: string;
  readonly issuer: string;
  readonly flow: (typeof OAUTH_FLOWS)[number];
  readonly clientId: string | undefined;
  readonly assertionType: (typeof OAUTH_ASSERTION_TYPES)[number];
  readonly resource: readonly string[];
  readonly targetAudience: readonly string[];
  readonly scope: string | undefined;
  /** Whether the access token must be bound to a key (RFC 9449). */
  readonly dpop: boolean;
}

/** The issuer as the sole audience is what RFC 7523bis and the SPIFFE client authentication draft ask for. */
export function oauthGrant(document: z.output<typeof oauthGrantDocument>, audience?: string): OAuthGrant {
  const { issuer, flow, clientId, assertionType = 'jwt-bearer', resource = [], targetAudience = [] } = document;
  return {
    kind: 'oauth',
    audience: audience ?? issuer,
    target: issuer,
    issuer,
    flow,
    clientId,
    assertionType,
    resource: Object.freeze(resource),
    targetAudience: Object.freeze(targetAudience),
    scope: document.scope,
    dpop: document.dpop,
  };
}
