import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { SvidxError } from '../../base/errors.ts';
import { scrub } from '../../base/secret.ts';

export interface GetDocumentOptions {
  /** PEM certificates to trust instead of those Node comes with. */
  readonly ca: string | undefined;
  /** Ends the request. */
  readonly signal: AbortSignal;
}

/** A bundle with both kinds of keys of a large trust domain stays far below. */
const MAX_BYTES = 1024 * 1024;

const MAX_REDIRECTS = 5;

const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * Whether a text is the URL of a bundle endpoint with the profile `https_web`: `https`, no userinfo (SPIFFE Federation
 * section 5.2.1.1).
 */
export function isBundleEndpointUrl(url: URL): boolean {
  return url.protocol === 'https:' && url.username === '' && url.password === '' && url.hash === '';
}

/**
 * Fetches a document over HTTPS, on a new connection, so that the server proves itself each time. Redirects lead only to
 * what could be a bundle endpoint itself, under the same checks, and are not remembered (section 5.2.1.4).
 * @throws SvidxError `bundle_unavailable`, or `bundle_invalid` for a body that is too large; the signal's reason
 */
export async function getDocument(start: URL, options: GetDocumentOptions): Promise<Uint8Array> {
  let url = start;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    const response = await request(url, options);
    const status = response.statusCode ?? 0;
    if (status === 200) return readBody(response, options.signal);
    response.destroy();
    if (!REDIRECTS.includes(status)) throw unavailable(`the bundle endpoint answered with status ${status}`);
    url = redirectTarget(url, response.headers.location);
  }
  throw unavailable('the bundle endpoint redirects too often');
}

function request(url: URL, { ca, signal }: GetDocumentOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { Accept: 'application/json' };
    const tls = { rejectUnauthorized: true, minVersion: 'TLSv1.2', ...(ca !== undefined && { ca }) } as const;
    get(url, { ...tls, agent: false, headers, signal }, resolve).on('error', (error) =>
      reject(signal.aborted ? signal.reason : connectionError(error)),
    );
  });
}

async function readBody(response: IncomingMessage, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response) {
      length += chunk.length;
      if (length > MAX_BYTES) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw signal.aborted ? signal.reason : connectionError(error);
  }
  if (length > MAX_BYTES) throw new SvidxError('bundle_invalid', `the bundle is larger than ${MAX_BYTES} bytes`);
  return Buffer.concat(chunks);
}

function redirectTarget(from: URL, location: string | undefined): URL {
  const target = location !== undefined && URL.canParse(location, from) ? new URL(location, from) : undefined;
  if (target !== undefined && isBundleEndpointUrl(target)) return target;
  throw unavailable('the bundle endpoint redirects to what cannot be a bundle endpoint: expected an https URL');
}

/** A refusal of the certificate is told apart: it is mended in another place. */
function connectionError(error: unknown): SvidxError {
  const text = error instanceof Error ? error.message : `a thrown ${typeof error}`;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const isCertificate = /CERT|SIGNATURE|ISSUER|ALTNAME/.test(code);
  return new SvidxError(
    'bundle_unavailable',
    isCertificate ? 'the certificate of the bundle endpoint is not trusted' : 'the bundle endpoint cannot be reached',
    { detail: scrub(`${code}: ${text}`) },
  );
}

function unavailable(message: string): SvidxError {
  return new SvidxError('bundle_unavailable', message);
}
