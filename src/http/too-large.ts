import type { IncomingMessage } from 'node:http';
import { SvidxError } from '../base/errors.ts';

/** Far above what any client sends. */
const MAX_HEADERS = 100;

/**
 * Says what is too much about a request, if anything: too many headers, or a body where none is read.
 * @returns `request_too_large`
 */
export function tooLarge(
  { headers, rawHeaders }: IncomingMessage,
  { readsBody }: { readonly readsBody: boolean },
): SvidxError | undefined {
  if (rawHeaders.length > 2 * MAX_HEADERS) return new SvidxError('request_too_large', `over ${MAX_HEADERS} headers`);
  if (readsBody) return undefined;
  const length = headers['content-length'];
  if (headers['transfer-encoding'] === undefined && (length === undefined || Number(length) === 0)) return undefined;
  return new SvidxError('request_too_large', 'no body is read here');
}
