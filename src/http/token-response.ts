import { type CredentialShape, type Credentials, shapeOf } from '../credentials/credentials.ts';
import { credentialFields } from '../credentials/wire.ts';

/** RFC 8693 section 3. */
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

/** What grants give. What is not an access token has a name of ours (RFC 8693 section 3 allows any URI). */
export const ISSUED_TOKEN_TYPE: Readonly<Record<CredentialShape, string>> = {
  aws: 'urn:svid-exchange:token-type:aws-credentials',
  azure: ACCESS_TOKEN,
  gcp: ACCESS_TOKEN,
  vault: 'urn:svid-exchange:token-type:vault-token',
  oauth: ACCESS_TOKEN,
  'oauth-bound': 'urn:svid-exchange:token-type:bound-access-token',
};

const SHAPES = Object.keys(ISSUED_TOKEN_TYPE) as readonly CredentialShape[];

/** What is given as this type of token; nothing where no grant gives that. */
export function shapesOf(tokenType: string): CredentialShape[] {
  return SHAPES.filter((shape) => ISSUED_TOKEN_TYPE[shape] === tokenType);
}

/** A successful answer (RFC 8693 section 2.2.1). */
export interface TokenResponse {
  readonly access_token: string;
  readonly issued_token_type: string;
  readonly token_type: 'Bearer' | 'N_A';
  /** Seconds. */
  readonly expires_in: number;
}

/**
 * Credentials as the answer to a token exchange, in the clear.
 *
 * An access token is itself. What consists of several parts (AWS, a token with the key that it is bound to) or is good at one
 * server alone (Vault) is not one: it is the JSON text of the credential's fields, as the private socket and `svidx credentials` have them, and not a token of any
 * type for an `Authorization` header (`N_A`).
 * @param now milliseconds since 1970
 */
export function tokenResponse(credentials: Credentials, now: number): TokenResponse {
  const common = {
    issued_token_type: ISSUED_TOKEN_TYPE[shapeOf(credentials)],
    expires_in: Math.max(0, Math.floor((credentials.expiresAt - now) / 1000)),
  };
  const fields = credentialFields(credentials);
  switch (fields.kind) {
    case 'aws':
    case 'vault':
      return { access_token: JSON.stringify(fields), token_type: 'N_A', ...common };
    default:
      // Our caller's key is not the one that the token is bound to, as `DPoP` would have it (RFC 9449 section 5).
      return fields.tokenType === 'DPoP'
        ? { access_token: JSON.stringify(fields), token_type: 'N_A', ...common }
        : { access_token: fields.token, token_type: fields.tokenType, ...common };
  }
}
