import type { RequestListener } from 'node:http';
import type { Issuer } from '../config/issuer.ts';
import type { JwtBundleSource } from '../identity/source.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import { discoveryDocument, keySet } from './issuer-documents.ts';
import { isRead, type PublishedDocument, publishedDocument, sendDocument } from './published-document.ts';

export interface IssuerAppOptions {
  readonly issuer: Issuer;
  readonly trustDomain: TrustDomain;
  readonly bundles: JwtBundleSource;
}

/**
 * The issuer: the discovery document and the key set of one trust domain, for anybody to read.
 *
 * Until there is a key to publish, both answer 503: an empty key set would be kept by those who read it.
 */
export function createIssuerApp({ issuer, trustDomain, bundles }: IssuerAppOptions): RequestListener {
  let published: ReadonlyMap<string, PublishedDocument> = new Map();

  function publish(): void {
    const bundle = bundles.get(trustDomain);
    published =
      bundle === undefined || bundle.authorities.length === 0
        ? new Map()
        : new Map([
            [issuer.discoveryPath, publishedDocument(discoveryDocument(issuer, bundle))],
            [issuer.keysPath, publishedDocument(keySet(bundle))],
          ]);
  }
  bundles.onChange(publish);
  publish();

  let router: Promise<RequestListener> | undefined;

  return async (request, response) => {
    // Every verifier in the world asks for these two URLs in exactly this form: they are answered from memory at once.
    const document = isRead(request) ? published.get(request.url ?? '') : undefined;
    if (document !== undefined) {
      sendDocument(request, response, document);
      return;
    }
    router ??= import('./issuer-router.ts').then(({ createIssuerRouter }) =>
      createIssuerRouter({ paths: [issuer.discoveryPath, issuer.keysPath], find: (path) => published.get(path) }),
    );
    (await router)(request, response);
  };
}
