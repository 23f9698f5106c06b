import type { IncomingMessage } from 'node:http';
import { readBody } from '../../http/read-body.ts';

/** A request as it arrived. */
export interface SignedRequest {
  readonly method: string;
  readonly path: string;
  /** In lower case; what came more than once is joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/**
 * All of a request that a signature may cover.
 * @returns `undefined` when its body is larger than `maxBytes`
 */
export async function readSignedRequest(
  incoming: IncomingMessage,
  maxBytes: number,
): Promise<SignedRequest | undefined> {
  const body = await readBody(incoming, maxBytes);
  if (body === undefined) return undefined;
  const { method = '', url = '' } = incoming;
  return { method, path: url, headers: singleHeaders(incoming), body };
}

function singleHeaders(incoming: IncomingMessage): Record<string, string> {
  const entries = Object.entries(incoming.headers);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Array.isArray(value) ? value.join(',') : (value ?? '')]),
  );
}
