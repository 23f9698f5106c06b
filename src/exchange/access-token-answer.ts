import { z } from 'zod';
import { Secret } from '../base/secret.ts';
import type { AccessToken } from '../credentials/credentials.ts';
import { jsonBody, type UpstreamAnswer } from './upstream.ts';

/** What may stand behind `Bearer` in a header: no space, nothing but ASCII. */
export const bearerToken = z.string().regex(/^[\x21-\x7e]+$/);

/** RFC 6749 section 5.1. Neither Entra ID nor Google leave `expires_in` out. */
const accessTokenAnswer = z.object({
  access_token: bearerToken,
  token_type: z.string().regex(/^bearer$/i),
  expires_in: z
    .int()
    .min(1)
    .max(2 ** 31 - 1),
});

/** The access token of a token endpoint's good answer; `undefined` of any other. */
export function readAccessToken(answer: UpstreamAnswer, kind: AccessToken['kind']): AccessToken | undefined {
  const { data } = answer.status === 200 ? accessTokenAnswer.safeParse(jsonBody(answer)) : {};
  return data && toAccessToken(kind, data.access_token, answer.sentAt + data.expires_in * 1000);
}

/** @param expiresAt milliseconds since 1970 */
export function toAccessToken(kind: AccessToken['kind'], token: string, expiresAt: number): AccessToken {
  return Object.freeze({ kind, token: new Secret(token), tokenType: 'Bearer', expiresAt });
}
