import { createHash, createHmac } from 'node:crypto';

export interface Sigv4Request {
  readonly method: string;
  /** As it is signed, without the query. */
  readonly path: string;
  /** The query as it is signed: decoded, encoded again and sorted. Default: none. */
  readonly query?: string;
  /** In lower case; all of them are signed. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Sigv4Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  /** Its signing name; STS where there is none. */
  readonly service?: string;
}

/**
 * The `Authorization` header of a request, from AWS's description of Signature Version 4 and from nothing else, so
 * that what verifies signatures is not held against itself.
 * @param request must have `host` and `x-amz-date`
 */
export function authorizationOf(request: Sigv4Request, signingKey: Sigv4Key): string {
  const { accessKeyId, secretAccessKey, region, service = 'sts' } = signingKey;
  const { method, path, query = '', headers, body } = request;
  const names = Object.keys(headers).sort();
  const canonicalHeaders = names.map((name) => `${name}:${headers[name]?.trim().replace(/ +/g, ' ')}\n`).join('');
  const payloadHash = headers['x-amz-content-sha256'] ?? sha256(body);
  const canonicalPath = service === 's3' ? path : encodedAgain(path);
  const canonical = [method, canonicalPath, query, canonicalHeaders, names.join(';'), payloadHash].join('\n');
  const date = headers['x-amz-date'] ?? '';
  const scope = `${date.slice(0, 8)}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  const key = scope
    .split('/')
    .reduce<Buffer>((secret, part) => hmac(secret, part), Buffer.from(`AWS4${secretAccessKey}`));
  const signature = hmac(key, toSign).toString('hex');
  return `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
}

/** Every service but S3 signs the path with each of its segments encoded once more than it is sent. */
function encodedAgain(path: string): string {
  const segments = path.split('/').map((segment) => encodeURIComponent(segment));
  return segments.join('/').replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** `20261122T120000Z` */
export function amzDate(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}|[-:]/g, '');
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
