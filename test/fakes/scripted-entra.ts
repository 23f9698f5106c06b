/** The secret of a good answer. */
export const ENTRA_ACCESS_TOKEN = 'entra-access-token.of-the-application.signature';

/** The body of a good answer of Entra ID's token endpoint, with other fields or without some (`undefined`). */
export function entraTokenJson(fields: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    token_type: 'Bearer',
    expires_in: 3599,
    ext_expires_in: 3599,
    access_token: ENTRA_ACCESS_TOKEN,
    ...fields,
  });
}

/** A refusal of Entra ID. */
export function entraRefusalJson(error: string, codes: readonly number[], text = 'what Entra says'): string {
  return JSON.stringify({
    error,
    error_description: `AADSTS${codes[0]}: ${text} Trace ID: 0f1e Correlation ID: 2d3c Timestamp: 2026-11-22 12:00:00Z`,
    error_codes: codes,
    timestamp: '2026-11-22 12:00:00Z',
    trace_id: '0f1e0000-0000-4000-8000-000000000000',
    correlation_id: '2d3c0000-0000-4000-8000-000000000000',
    error_uri: `https://login.microsoftonline.com/error?code=${codes[0]}`,
  });
}
