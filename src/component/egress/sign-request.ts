import type { AwsCredentials } from '../../credentials/credentials.ts';
import type { HeaderLines } from './checked-request.ts';
import { joinQuery, parseQuery, percentDecoded, type QueryParameter } from './query.ts';
import type { RequestTarget } from './request-target.ts';

/** A request that is complete but for its signature. */
export interface UnsignedRequest {
  readonly method: string;
  readonly target: RequestTarget;
  /** Without `Host`, and without any that a signature brings. */
  readonly headers: HeaderLines;
  readonly body: Uint8Array;
}

export interface SigningScope {
  readonly credentials: AwsCredentials;
  readonly region: string;
  /** The signing name, such as `bedrock`. */
  readonly service: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** What a signature adds to a request. */
export interface Signed {
  /** To be sent in place of the one it had: what is signed must be what is read. */
  readonly query: string;
  /** `authorization`, `x-amz-date`, `x-amz-security-token` and `x-amz-content-sha256`. */
  readonly headers: HeaderLines;
}

/** The headers that a signature covers: of others, proxies may make what they like. All of `x-amz-*` must be covered. */
const COVERED = /^(?:content-type|x-amz-.*)$/;

/** Signs a request with AWS Signature Version 4, in headers, with the signer of AWS' own SDK. */
export async function signRequest(request: UnsignedRequest, scope: SigningScope): Promise<Signed> {
  const [{ SignatureV4 }, { Sha256 }] = await Promise.all([
    import('@smithy/signature-v4'),
    import('@smithy/core/checksum'),
  ]);
  const { credentials, region, service, now } = scope;
  const { method, target, body } = request;
  // S3 alone has its paths encoded once and not normalised (IAM user guide, create a signed AWS API request).
  const isS3 = service === 's3';
  const signer = new SignatureV4({
    credentials: {
      accessKeyId: credentials.accessKeyId,
      secretAccessKey: credentials.secretAccessKey.reveal(),
      sessionToken: credentials.sessionToken.reveal(),
    },
    region,
    service,
    sha256: Sha256,
    uriEscapePath: !isS3,
  });
  const parameters = parseQuery(target.query);
  const covered = coveredHeaders(request.headers);
  const signed = await signer.sign(
    {
      method,
      protocol: `${target.scheme}:`,
      hostname: target.host,
      path: isS3 ? encodedOnce(target.path) : target.path,
      query: valuesByName(parameters),
      headers: { ...Object.fromEntries(covered), host: target.authority },
      body,
    },
    { signingDate: new Date(now) },
  );
  return {
    query: joinQuery(
      parameters.map(({ name, value }) => (value === undefined ? encoded(name) : `${encoded(name)}=${encoded(value)}`)),
    ),
    headers: Object.entries(signed.headers).filter(([name]) => name !== 'host' && !covered.has(name)),
  };
}

/** By name in lower case; the values of those that are there several times are joined as a proxy would (RFC 9110 section 5.3). */
function coveredHeaders(headers: HeaderLines): ReadonlyMap<string, string> {
  const covered = new Map<string, string>();
  for (const [written, value] of headers) {
    const name = written.toLowerCase();
    if (!COVERED.test(name)) continue;
    const text = Buffer.from(value, 'latin1').toString('utf8');
    const earlier = covered.get(name);
    covered.set(name, earlier === undefined ? text : `${earlier},${text}`);
  }
  return covered;
}

function valuesByName(parameters: readonly QueryParameter[]): Record<string, string[]> {
  const values = new Map<string, string[]>();
  for (const { name, value = '' } of parameters) values.set(name, [...(values.get(name) ?? []), value]);
  return Object.fromEntries(values);
}

function encodedOnce(path: string): string {
  return path
    .split('/')
    .map((segment) => encoded(percentDecoded(segment)))
    .join('/');
}

/** AWS' "UriEncode": all but the unreserved characters of RFC 3986 section 2.3. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
