import { createHash } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import express from 'express';
import { SvidxError } from '../base/errors.ts';
import type { Issuer } from '../config/issuer.ts';
import type { JwtBundleSource } from '../identity/source.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import { sendError } from './errors.ts';
import { discoveryDocument, keySet } from './issuer-documents.ts';

/**
 * For how long anyone may keep the documents, in seconds. SPIRE publishes a key hours before it signs with it, so this
 * is soon enough for a planned rotation, and a forced one waits no longer than this.
 */
export const MAX_AGE_SECONDS = 300;

export interface IssuerAppOptions {
  readonly issuer: Issuer;
  readonly trustDomain: TrustDomain;
  readonly bundles: JwtBundleSource;
}

/** A document as it goes over the wire, computed once for each change of the bundle. */
interface Published {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly etag: string;
}

/**
 * The issuer: the discovery document and the key set of one trust domain, for anybody to read.
 *
 * Until there is a key to publish, both answer 503: an empty key set would be kept by those who read it.
 */
export function createIssuerApp({ issuer, trustDomain, bundles }: IssuerAppOptions): RequestListener {
  let published: ReadonlyMap<string, Published> = new Map();

  function publish(): void {
    const bundle = bundles.get(trustDomain);
    published =
      bundle === undefined || bundle.authorities.length === 0
        ? new Map()
        : new Map([
            [issuer.discoveryPath, toPublished(discoveryDocument(issuer, bundle))],
            [issuer.keysPath, toPublished(keySet(bundle))],
          ]);
  }
  bundles.onChange(publish);
  publish();

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use((request, response) => {
    if (request.path !== issuer.discoveryPath && request.path !== issuer.keysPath) {
      sendError(response, new SvidxError('not_found', 'there is nothing at this path'));
      return;
    }
    response.setHeader('Access-Control-Allow-Origin', '*');
    if (!isRead(request)) {
      response.setHeader('Allow', 'GET, HEAD');
      sendError(response, new SvidxError('method_not_allowed', 'this path answers GET and HEAD'));
      return;
    }
    const document = published.get(request.path);
    if (document !== undefined) {
      send(request, response, document);
      return;
    }
    response.setHeader('Retry-After', '1');
    sendError(response, new SvidxError('bundle_unavailable', `no key of ${trustDomain.name} has arrived yet`));
  });

  return (request, response) => {
    // Every verifier in the world asks for these two URLs in exactly this form, so they skip the router.
    const document = isRead(request) ? published.get(request.url ?? '') : undefined;
    if (document === undefined) app(request, response);
    else send(request, response, document);
  };
}

function isRead(request: IncomingMessage): boolean {
  return request.method === 'GET' || request.method === 'HEAD';
}

function toPublished(document: object): Published {
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

function send(request: IncomingMessage, response: ServerResponse, document: Published): void {
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
