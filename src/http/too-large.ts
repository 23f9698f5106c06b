import type { IncomingMessage } from 'node:http';
import { SvidxError } from '../base/errors.ts';

/** Far above what any client sends. */
const MAX_HEADERS = 100;

/** Says of a request to a listener that reads no bodies what is too much about it, if anything: `request_too_large`. */
export function tooLarge({ headers, rawHeaders }: IncomingMessage): SvidxError | undefined {
  if (rawHeaders.length > 2 * MAX_HEADERS) return new SvidxError('request_too_large', `over ${MAX_HEADERS} headers`);
  const length = headers['content-length'];
  if (headers['transfer-encoding'] === undefined && (length === undefined || Number(length) === 0)) return undefined;
  return new SvidxError('request_too_large', 'no body is read here');
}
