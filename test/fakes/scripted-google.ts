/** The secrets of good answers. */
export const FEDERATED_TOKEN = 'ya29.d.federated-token-of-the-identity';
export const SERVICE_ACCOUNT_TOKEN = 'ya29.c.token-of-the-service-account';

/** The body of a good answer of the Security Token Service, with other fields or without some (`undefined`). */
export function federatedTokenJson(fields: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    access_token: FEDERATED_TOKEN,
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer',
    expires_in: 3599,
    ...fields,
  });
}

/** The body of a good answer of `generateAccessToken`. */
export function serviceAccountTokenJson(fields: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ accessToken: SERVICE_ACCOUNT_TOKEN, expireTime: '2126-11-22T13:00:00Z', ...fields });
}

/** A refusal as OAuth words it. */
export function oauthRefusalJson(error: string, description = 'what Google says'): string {
  return JSON.stringify({ error, error_description: description });
}

/** A refusal as Google's APIs word it. */
export function rpcRefusalJson(code: number, status: string, message = 'what Google says'): string {
  return JSON.stringify({ error: { code, message, status, details: [] } });
}
