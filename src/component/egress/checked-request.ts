import { EgressError } from './error-code.ts';
import { isFieldValue, isForbiddenHeader, isForbiddenTrailer, isToken } from './header-rules.ts';
import type { Fields, OutgoingRequest } from './outgoing-request.ts';
import { parseRequestTarget, type RequestTarget } from './request-target.ts';

/** A request that is what it says: it can be sent, and is read the same way by everybody. */
export interface CheckedRequest {
  /** In upper case, as Node sends it. */
  readonly method: string;
  readonly target: RequestTarget;
  /** Without those about the connection, `Host` and `Content-Length`. */
  readonly headers: HeaderLines;
  /** What the component says of its body. Bytes. */
  readonly contentLength: number | undefined;
  readonly body: AsyncIterable<Uint8Array> | undefined;
  trailers(): Promise<HeaderLines | undefined>;
}

/** Fields as Node takes them: each character of a value is a byte. */
export type HeaderLines = readonly (readonly [name: string, value: string])[];

const MAX_METHOD_LENGTH = 32;

/** More than any server takes (8 to 16 KiB are usual). Bytes. */
const MAX_SECTION_BYTES = 64 * 1024;

/**
 * Checks all of a request but its body, before anything is sent.
 * @throws EgressError `HTTP-request-method-invalid`, `HTTP-request-URI-*`, `HTTP-request-denied` for a forbidden header,
 *   `HTTP-request-header-section-size`, or `HTTP-request-body-size` for a length that cannot be
 */
export function checkRequest(request: OutgoingRequest): CheckedRequest {
  const method = request.method.toUpperCase();
  // A tunnel could go anywhere (RFC 9110 section 9.3.6).
  if (!isToken(method) || method.length > MAX_METHOD_LENGTH || method === 'CONNECT') {
    throw new EgressError('HTTP-request-method-invalid', 'its method is none that is sent');
  }
  const target = parseRequestTarget(request.scheme, request.authority, request.pathWithQuery);
  const lines = checkFields(request.headers, isForbiddenHeader, 'HTTP-request-header-section-size');
  const contentLength = lengthIn(lines);
  if (request.body === undefined && contentLength !== undefined && contentLength > 0) throw wrongLength(0);
  return {
    method,
    target,
    headers: lines.filter(([name]) => name.toLowerCase() !== 'content-length'),
    contentLength,
    body: request.body,
    async trailers() {
      const fields = await request.trailers();
      return fields && checkFields(fields, isForbiddenTrailer, 'HTTP-request-trailer-section-size');
    },
  };
}

/** @param sent how much there was of the body when it turned out not to have the length that was said. Bytes */
export function wrongLength(sent: number): EgressError {
  return new EgressError(
    { tag: 'HTTP-request-body-size', val: BigInt(sent) },
    'its body has not the length that Content-Length says',
  );
}

function checkFields(
  fields: Fields,
  isForbidden: (name: string) => boolean,
  tooLarge: 'HTTP-request-header-section-size' | 'HTTP-request-trailer-section-size',
): HeaderLines {
  let size = 0;
  return fields.map(([name, value]) => {
    size += name.length + value.length + 4;
    if (size > MAX_SECTION_BYTES) throw new EgressError({ tag: tooLarge, val: size }, 'it has too many fields');
    if (!isToken(name) || !isFieldValue(value)) throw denied('a field is malformed');
    if (isForbidden(name)) throw denied('a field is one that only the host sets');
    return [name, Buffer.from(value).toString('latin1')] as const;
  });
}

/** RFC 9112 section 6.3: whatever could be read in two ways is refused, also where both ways say the same. */
function lengthIn(lines: HeaderLines): number | undefined {
  const [value, another] = lines.filter(([name]) => name.toLowerCase() === 'content-length').map(([, text]) => text);
  if (value === undefined) return undefined;
  if (another !== undefined || !/^(?:0|[1-9][0-9]{0,14})$/.test(value)) throw denied('its Content-Length is malformed');
  return Number(value);
}

function denied(reason: string): EgressError {
  return new EgressError('HTTP-request-denied', reason);
}
