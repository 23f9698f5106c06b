import { createHash, timingSafeEqual } from 'node:crypto';
import { Sha256 } from '@smithy/core/checksum';
import { SignatureV4 } from '@smithy/signature-v4';
import type { SignedRequest } from './signed-request.ts';

/** What a service knows of a temporary access key. */
export interface IssuedCredential {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** What a signature is held against. */
export interface Expected<C extends IssuedCredential> {
  /** The signing name of the service, as the credential scope has it. */
  readonly service: string;
  /** The regions that the credential scope may name; `undefined` for all. */
  readonly regions: ReadonlySet<string> | undefined;
  find(accessKeyId: string): C | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Why a signature is refused. Each service has codes of its own for these. */
export type SignatureProblem =
  /** There is none. */
  | 'missing'
  /** It is not written as it must be. */
  | 'incomplete'
  /** It is for another service, or for another region. */
  | 'other-scope'
  /** The key, or its session token, is none that was issued. */
  | 'unknown-key'
  | 'expired-key'
  /** It was made too long ago, or is not yet valid. */
  | 'skewed'
  | 'mismatch';

export class SignatureError extends Error {
  readonly problem: SignatureProblem;

  constructor(problem: SignatureProblem) {
    super(problem);
    this.problem = problem;
  }
}

/** AWS accepts a signature for this long before and after the time it names. Milliseconds. */
const MAX_SKEW_MS = 15 * 60_000;

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/(\d{8})\/([^/,\s]+)\/([^/,\s]+)\/aws4_request,\s*SignedHeaders=([a-z0-9;-]+),\s*Signature=([0-9a-f]{64})$/;

/**
 * Verifies the SigV4 signature of a request (AWS Signature Version 4 for API requests) by signing it again with the
 * secret key that was issued, and comparing.
 * @returns the credential that signed it, and for which region
 * @throws SignatureError
 */
export async function verifySignature<C extends IssuedCredential>(
  request: SignedRequest,
  { service, regions, find, now }: Expected<C>,
): Promise<{ credential: C; region: string }> {
  const { headers } = request;
  const authorization = headers['authorization'];
  if (authorization === undefined) throw new SignatureError('missing');
  const [, accessKeyId, day, region, signedFor, signedHeaders, signature] = AUTHORIZATION.exec(authorization) ?? [];
  const signedAt = parseAmzDate(headers['x-amz-date']);
  if (!accessKeyId || !day || !region || !signedHeaders || !signature || signedAt === undefined) {
    throw new SignatureError('incomplete');
  }
  if (signedFor !== service || regions?.has(region) === false) throw new SignatureError('other-scope');
  const names = signedHeaders.split(';');
  const credential = find(accessKeyId);
  if (credential === undefined || headers['x-amz-security-token'] !== credential.sessionToken) {
    throw new SignatureError('unknown-key');
  }
  if (now >= credential.expiresAt) throw new SignatureError('expired-key');
  if (Math.abs(now - signedAt) > MAX_SKEW_MS) throw new SignatureError('skewed');
  const covered = names.includes('host') && names.every((name) => headers[name] !== undefined);
  const sameDay = headers['x-amz-date']?.startsWith(day) === true;
  const expected = await sign(request, names, credential, { region, service, signingDate: new Date(signedAt) });
  if (!covered || !sameDay || !hasStatedBody(request) || !sameText(expected, signature)) {
    throw new SignatureError('mismatch');
  }
  return { credential, region };
}

/** The signature that this credential gives the request, in hexadecimal. */
async function sign(
  { method, path, headers, body }: SignedRequest,
  signedHeaders: readonly string[],
  { accessKeyId, secretAccessKey, sessionToken }: IssuedCredential,
  { region, service, signingDate }: { region: string; service: string; signingDate: Date },
): Promise<string | undefined> {
  const signer = new SignatureV4({
    credentials: { accessKeyId, secretAccessKey, sessionToken },
    region,
    service,
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
  return AUTHORIZATION.exec(signed.headers['authorization'] ?? '')?.[6];
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
