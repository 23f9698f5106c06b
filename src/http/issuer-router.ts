import type { RequestListener } from 'node:http';
import express from 'express';
import { SvidxError } from '../base/errors.ts';
import { sendError } from './errors.ts';
import { isRead, type PublishedDocument, sendDocument } from './published-document.ts';

export interface IssuerRouterOptions {
  /** The paths that the issuer has, whether there is something to publish yet or not. */
  readonly paths: readonly string[];
  /** The document at this path now. */
  find(path: string): PublishedDocument | undefined;
}

/** Whatever is asked of the issuer in another form than the usual one: queries, other methods, other paths, too early. */
export function createIssuerRouter({ paths, find }: IssuerRouterOptions): RequestListener {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use((request, response) => {
    if (!paths.includes(request.path)) {
      sendError(response, new SvidxError('not_found', 'there is nothing at this path'));
      return;
    }
    response.setHeader('Access-Control-Allow-Origin', '*');
    if (!isRead(request)) {
      response.setHeader('Allow', 'GET, HEAD');
      sendError(response, new SvidxError('method_not_allowed', 'this path answers GET and HEAD'));
      return;
    }
    const document = find(request.path);
    if (document !== undefined) {
      sendDocument(request, response, document);
      return;
    }
    response.setHeader('Retry-After', '1');
    sendError(response, new SvidxError('bundle_unavailable', 'no key of the trust domain has arrived yet'));
  });
  return app;
}
