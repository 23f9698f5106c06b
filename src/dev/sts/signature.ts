import { createHash, timingSafeEqual } from 'node:crypto';
import { Sha256 } from '@smithy/core/checksum';
import { SignatureV4 } from '@smithy/signature-v4';
import { StsError } from './errors.ts';

/** A request as it arrived. */
export interface SignedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What STS knows of a temporary access key. */
export interface IssuedCredential {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** AWS accepts a signature for this long before and after the time it names. Milliseconds. */
const MAX_SKEW_MS = 15 * 60_000;

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/(\d{8})\/([^/,\s]+)\/sts\/aws4_request,\s*SignedHeaders=([a-z0-9;-]+),\s*Signature=([0-9a-f]{64})$/;

/**
 * Verifies the SigV4 signature of a request (AWS Signature Version 4 for API requests) by signing it again with the
 * secret key that was issued, and comparing.
 * @param now milliseconds since 1970
 * @returns the credential that signed it
 * @throws StsError with AWS' codes
 */
export async function verifySignature<C extends IssuedCredential>(
  request: SignedRequest,
  find: (accessKeyId: string) => C | undefined,
  now: number,
): Promise<C> {
  const { headers } = request;
  const authorization = headers['authorization'];
  if (authorization === undefined) {
    throw new StsError(403, 'MissingAuthenticationToken', 'Request is missing Authentication Token');
  }
  const [, accessKeyId, day, region, signedHeaders, signature] = AUTHORIZATION.exec(authorization) ?? [];
  const signedAt = parseAmzDate(headers['x-amz-date']);
  if (!accessKeyId || !day || !region || !signedHeaders || !signature || signedAt === undefined) {
    throw new StsError(403, 'IncompleteSignature', 'The request signature does not conform to AWS standards');
  }
  const names = signedHeaders.split(';');
  const credential = find(accessKeyId);
  if (credential === undefined || headers['x-amz-security-token'] !== credential.sessionToken) {
    throw new StsError(403, 'InvalidClientTokenId', 'The security token included in the request is invalid');
  }
  if (now >= credential.expiresAt) {
    throw new StsError(403, 'ExpiredToken', 'The security token included in the request is expired');
  }
  if (Math.abs(now - signedAt) > MAX_SKEW_MS) {
    throw new StsError(403, 'SignatureDoesNotMatch', 'Signature expired or not yet current');
  }
  const covered = names.includes('host') && names.every((name) => headers[name] !== undefined);
  const sameDay = headers['x-amz-date']?.startsWith(day) === true;
  const expected = await sign(request, names, credential, region, new Date(signedAt));
  if (!covered || !sameDay || !hasStatedBody(request) || !sameText(expected, signature)) {
    throw new StsError(
      403,
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided',
    );
  }
  return credential;
}

/** The signature that this credential gives the request, in hexadecimal. */
async function sign(
  { method, path, headers, body }: SignedRequest,
  signedHeaders: readonly string[],
  { accessKeyId, secretAccessKey, sessionToken }: IssuedCredential,
  region: string,
  signingDate: Date,
): Promise<string | undefined> {
  const signer = new SignatureV4({
    credentials: { accessKeyId, secretAccessKey, sessionToken },
    region,
    service: 'sts',
    sha256: Sha256,
    applyChecksum: signedHeaders.includes('x-amz-content-sha256'),
  });
  const present = signedHeaders.flatMap((name) =>
    headers[name] === undefined ? [] : [[name, headers[name]] as const],
  );
  const signed = await signer.sign(
    {
      method,
      protocol: 'http:',
      hostname: headers['host'] ?? '',
      path,
      query: {},
      headers: Object.fromEntries(present),
      body,
    },
    { signingDate, signableHeaders: new Set(signedHeaders) },
  );
  return AUTHORIZATION.exec(signed.headers['authorization'] ?? '')?.[5];
}

/** A signature that covers the stated hash of the body covers the body only if that hash is right. */
function hasStatedBody({ headers, body }: SignedRequest): boolean {
  const stated = headers['x-amz-content-sha256'];
  return stated === undefined || stated === createHash('sha256').update(body).digest('hex');
}

/** `20261122T070300Z` in milliseconds since 1970. */
function parseAmzDate(text: string | undefined): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text ?? '');
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) ? undefined : time;
}

function sameText(a: string | undefined, b: string): boolean {
  const [left, right] = [Buffer.from(a ?? ''), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
