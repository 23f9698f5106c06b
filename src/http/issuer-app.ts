import type { RequestListener } from 'node:http';
import type { Issuer } from '../config/issuer.ts';
import type { JwtBundleSource } from '../identity/source.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import { issuerDocuments, issuerPaths } from './issuer-documents.ts';
import { createIssuerGuard, type IssuerGuardOptions } from './issuer-guard.ts';
import { isRead, type PublishedDocument, sendDocument } from './published-document.ts';
import type { TokenEndpoint } from './token-endpoint.ts';

export interface IssuerAppOptions extends IssuerGuardOptions {
  readonly issuer: Issuer;
  readonly trustDomain: TrustDomain;
  readonly bundles: JwtBundleSource;
  /** What else the listener has; `undefined` for the documents alone. */
  readonly tokenEndpoint?: TokenEndpoint | undefined;
}

/**
 * The issuer: the discovery document and the key set of one trust domain, for anybody to read.
 *
 * Until there is a key to publish, both answer 503.
 */
export function createIssuerApp(options: IssuerAppOptions): RequestListener {
  const { issuer, trustDomain, bundles, tokenEndpoint } = options;
  const refuse = createIssuerGuard(options);
  const others = tokenEndpoint?.documents ?? new Map<string, PublishedDocument>();
  const documents = () => new Map([...issuerDocuments(issuer, bundles.get(trustDomain)), ...others]);
  let published = documents();
  bundles.onChange(() => {
    published = documents();
  });

  let router: Promise<RequestListener> | undefined;

  return async (request, response) => {
    const endpoint = tokenEndpoint?.matches(request) ? tokenEndpoint : undefined;
    if (refuse(request, response, endpoint)) return;
    if (endpoint !== undefined) {
      await endpoint.handle(request, response);
      return;
    }
    // Every verifier in the world asks for these two URLs in exactly this form: they are answered from memory at once.
    const document = isRead(request) ? published.get(request.url ?? '') : undefined;
    if (document !== undefined) {
      sendDocument(request, response, document);
      return;
    }
    router ??= import('./issuer-router.ts').then(({ createIssuerRouter }) =>
      createIssuerRouter({
        paths: [...issuerPaths(issuer), ...others.keys()],
        find: (path) => published.get(path),
      }),
    );
    (await router)(request, response);
  };
}
