import type { RequestListener } from 'node:http';
import type { Issuer } from '../config/issuer.ts';
import type { JwtBundleSource } from '../identity/source.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import { issuerDocuments, issuerPaths } from './issuer-documents.ts';
import { createIssuerGuard, type IssuerGuardOptions } from './issuer-guard.ts';
import { isRead, sendDocument } from './published-document.ts';

export interface IssuerAppOptions extends IssuerGuardOptions {
  readonly issuer: Issuer;
  readonly trustDomain: TrustDomain;
  readonly bundles: JwtBundleSource;
}

/**
 * The issuer: the discovery document and the key set of one trust domain, for anybody to read.
 *
 * Until there is a key to publish, both answer 503.
 */
export function createIssuerApp({ issuer, trustDomain, bundles, ...limits }: IssuerAppOptions): RequestListener {
  const refuse = createIssuerGuard(limits);
  let published = issuerDocuments(issuer, bundles.get(trustDomain));
  bundles.onChange(() => {
    published = issuerDocuments(issuer, bundles.get(trustDomain));
  });

  let router: Promise<RequestListener> | undefined;

  return async (request, response) => {
    if (refuse(request, response)) return;
    // Every verifier in the world asks for these two URLs in exactly this form: they are answered from memory at once.
    const document = isRead(request) ? published.get(request.url ?? '') : undefined;
    if (document !== undefined) {
      sendDocument(request, response, document);
      return;
    }
    router ??= import('./issuer-router.ts').then(({ createIssuerRouter }) =>
      createIssuerRouter({ paths: issuerPaths(issuer), find: (path) => published.get(path) }),
    );
    (await router)(request, response);
  };
}
