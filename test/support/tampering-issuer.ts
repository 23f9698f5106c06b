import { createServer, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { onTestFinished } from 'vitest';
import { type Issuer, parseIssuer } from '../../src/config/issuer.ts';
import { discoveryDocument, keySet } from '../../src/http/issuer-documents.ts';
import { publishedDocument, sendDocument } from '../../src/http/published-document.ts';
import { JwtBundle } from '../../src/spiffe/jwt-bundle.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import type { TestCertificate } from './certificates.ts';

/** The documents of an issuer as the service makes them, which a test can change on their way out. */
export interface TamperingIssuer {
  readonly issuer: Issuer;
  /** The JWK Set of the trust domain, as SPIRE sends it. */
  jwkSet: string;
  /** Changes the discovery document, or the key set. */
  tamper(document: 'discovery' | 'keys', change: (json: Record<string, unknown>) => object): void;
  /** Answers in place of the document. */
  answer(document: 'discovery' | 'keys', answer: (response: ServerResponse) => void): void;
  close(): Promise<void>;
}

/** @param tls a certificate for `localhost`: the issuer is then https, else http on 127.0.0.1 */
export async function startTamperingIssuer(tls?: TestCertificate): Promise<TamperingIssuer> {
  const answers = new Map<string, (response: ServerResponse) => void>();
  const changes = new Map<string, (json: Record<string, unknown>) => object>();
  const server = tls === undefined ? createServer() : createTlsServer(tls);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  onTestFinished(close);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  const issuer = parseIssuer(
    tls === undefined ? `http://127.0.0.1:${address.port}` : `https://localhost:${address.port}`,
  );
  if ('problem' in issuer) throw new Error(issuer.problem);
  const paths = { discovery: issuer.discoveryPath, keys: issuer.keysPath };
  const tampering: TamperingIssuer = {
    issuer,
    jwkSet: '{"keys": []}',
    tamper: (document, change) => void changes.set(paths[document], change),
    answer: (document, answer) => void answers.set(paths[document], answer),
    close,
  };

  server.on('request', (request, response) => {
    const path = request.url ?? '';
    const answer = answers.get(path);
    if (answer !== undefined) {
      answer(response);
      return;
    }
    const bundle = JwtBundle.parse(TrustDomain.parse('example.org'), tampering.jwkSet);
    const documents = new Map([
      [issuer.discoveryPath, discoveryDocument(issuer, bundle)],
      [issuer.keysPath, keySet(bundle)],
    ]);
    const document = documents.get(path);
    if (document === undefined) {
      response.writeHead(404).end();
      return;
    }
    const changed = changes.get(path)?.({ ...document }) ?? document;
    sendDocument(request, response, publishedDocument(changed));
  });
  return tampering;
}
