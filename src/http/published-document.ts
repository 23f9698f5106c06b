import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * For how long anyone may keep a document, in seconds. SPIRE publishes a key hours before it signs with it, so this is
 * soon enough for a planned rotation, and a forced one waits no longer than this. There is no `stale-if-error` (RFC 5861
 * section 4): whoever holds a key that was taken back could keep it alive by keeping caches from reaching us.
 */
export const MAX_AGE_SECONDS = 300;

/** A document as it goes over the wire, made once for each change of what it says. */
export interface PublishedDocument {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly etag: string;
}

export function publishedDocument(document: object): PublishedDocument {
  const body = Buffer.from(JSON.stringify(document));
  const etag = `"${createHash('sha256').update(body).digest('base64url')}"`;
  return {
    body,
    etag,
    headers: Object.freeze({
      'Content-Type': 'application/json',
      'Content-Length': body.length,
      'Cache-Control': `public, max-age=${MAX_AGE_SECONDS}`,
      ETag: etag,
      'Access-Control-Allow-Origin': '*',
      'X-Content-Type-Options': 'nosniff',
    }),
  };
}

export function isRead(request: IncomingMessage): boolean {
  return request.method === 'GET' || request.method === 'HEAD';
}

/** Answers with the document, or with 304 where the caller has it already. */
export function sendDocument(request: IncomingMessage, response: ServerResponse, document: PublishedDocument): void {
  if (matches(request.headers['if-none-match'], document.etag)) {
    const { 'Content-Type': _type, 'Content-Length': _length, ...headers } = document.headers;
    response.writeHead(304, headers);
    response.end();
    return;
  }
  response.writeHead(200, document.headers);
  // For HEAD, Node itself leaves the body out.
  response.end(document.body);
}

/** RFC 9110 section 13.1.2: a list of entity tags, compared weakly, or `*` alone. */
function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === '*') return true;
  return ifNoneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}
