import type { ComponentInjection } from '../../broker/hosting.ts';
import { awsSigningName } from '../../credentials/aws-signing-name.ts';
import type { AwsCredentials } from '../../credentials/credentials.ts';
import { type CheckedRequest, wrongLength } from './checked-request.ts';
import { EgressError } from './error-code.ts';
import { signRequest } from './sign-request.ts';
import { toWireRequest, type WireRequest, without } from './wire-request.ts';

/** A body that is signed is held as a whole. Bytes. */
const MAX_SIGNED_BODY_BYTES = 16 * 1024 * 1024;

/** Where a component may have put a signature of its own, of version 4 or 2. In lower case. */
const HEADERS = [
  'authorization',
  'date',
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-region-set',
  'x-amz-s3session-token',
  'x-amz-security-token',
];
const PARAMETERS = [
  'awsaccesskeyid',
  'x-amz-algorithm',
  'x-amz-content-sha256',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-region-set',
  'x-amz-s3session-token',
  'x-amz-security-token',
  'x-amz-signature',
  'x-amz-signedheaders',
];

/**
 * The request with a signature of the host's, in place of any that it had. Its body is read to the end first.
 * @param now milliseconds since 1970; asked once the body is there, since a signature is good for five minutes
 * @param hold takes room for so many bytes of the body
 * @throws EgressError `HTTP-request-body-size`, `HTTP-request-URI-invalid` or `configuration-error`; what the body throws
 */
export async function injectSignature(
  request: CheckedRequest,
  { injection, region }: ComponentInjection,
  credentials: AwsCredentials,
  now: () => number,
  hold: (bytes: number) => void,
): Promise<WireRequest> {
  const service = injection.service ?? awsSigningName(injection.host);
  if (service === undefined) throw new EgressError('configuration-error', 'the injection names no AWS service');
  const { headers, target } = without(request, HEADERS, PARAMETERS);
  const body = await wholeBody(request, hold);
  const signature = await signRequest(
    { method: request.method, target, headers, body },
    { credentials, region: region ?? credentials.region, service, now: now() },
  );
  return toWireRequest({
    ...request,
    target: { ...target, query: signature.query },
    headers: [...headers, ...signature.headers],
    body: request.body && once(body),
    contentLength: request.body && body.length,
  });
}

async function wholeBody({ body, contentLength }: CheckedRequest, hold: (bytes: number) => void): Promise<Buffer> {
  if (contentLength !== undefined && contentLength > MAX_SIGNED_BODY_BYTES) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > MAX_SIGNED_BODY_BYTES) throw tooLarge();
    if (contentLength !== undefined && size > contentLength) throw wrongLength(size);
    hold(chunk.length);
    chunks.push(chunk);
  }
  if (contentLength !== undefined && size !== contentLength) throw wrongLength(size);
  return Buffer.concat(chunks);
}

async function* once(body: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield body;
}

function tooLarge(): EgressError {
  const errorCode = { tag: 'HTTP-request-body-size', val: BigInt(MAX_SIGNED_BODY_BYTES) } as const;
  return new EgressError(errorCode, 'its body is larger than what is signed');
}
