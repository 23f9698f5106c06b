import { parseHttpUrl } from '../base/http-url.ts';
import type { IssuerConfig } from '../config/config.ts';
import { JwtBundle } from '../spiffe/jwt-bundle.ts';
import { type FetchedDocument, getDocument } from './get-document.ts';
import { type Finding, ok } from './walk.ts';
import type { World } from './world.ts';

/** What the discovery document says, as far as the steps after it need it. */
export interface Discovery {
  readonly jwksUri: string;
  readonly algorithms: readonly string[];
  /** How far the issuer's clock is ahead of ours, in milliseconds. */
  readonly clockAheadMs: number | undefined;
}

/** OpenID Connect Discovery section 3: what must be there. AWS reads no document without these. */
const REQUIRED_LISTS = [
  'response_types_supported',
  'subject_types_supported',
  'id_token_signing_alg_values_supported',
] as const;

/** AWS reads at most so many RSA and so many EC keys (IAM user guide, create an OIDC identity provider). */
const MAX_KEYS = 100;

/** RFC 7518 section 6: the members of a private or symmetric key. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** Whether the discovery document is there and says what clouds look for. */
export async function lookAtDiscovery({ issuer }: IssuerConfig, world: World): Promise<Finding<Discovery>> {
  const document = await getDocument(issuer.discoveryUrl, world);
  if (document.status === 'fail') return document;
  const { json, clockAheadMs } = document.value;
  if (json['issuer'] !== issuer.url) {
    return bad(
      `"issuer" of ${issuer.discoveryUrl} is ${JSON.stringify(json['issuer']) ?? 'missing'}, not ${issuer.url}`,
      'Clouds compare the two byte by byte. Does another service answer, or one with another configuration?',
    );
  }
  const missing = REQUIRED_LISTS.filter((name) => textsOf(json[name]).length === 0);
  if (missing.length > 0) {
    return bad(
      `${issuer.discoveryUrl} has no ${missing.join(', ')}`,
      'Clouds need them. Does svidx publish this document, in its current version?',
    );
  }
  const jwksUri = json['jwks_uri'];
  const url = typeof jwksUri === 'string' ? parseHttpUrl(jwksUri) : undefined;
  if (typeof jwksUri !== 'string' || url === undefined) {
    return bad(`"jwks_uri" of ${issuer.discoveryUrl} is not a URL`, 'It must be the URL of the key set.');
  }
  if (url.protocol !== 'https:' && issuer.url.startsWith('https:')) {
    return bad(`"jwks_uri" is ${jwksUri}: plain HTTP`, 'Clouds fetch keys over https only.');
  }
  const algorithms = textsOf(json['id_token_signing_alg_values_supported']);
  return typed(document.value, `${document.saw}, keys at ${jwksUri}, ${algorithms.join(', ')}`, {
    jwksUri,
    algorithms,
    clockAheadMs,
  });
}

/** Whether the key set is there and its keys are what clouds can read. */
export async function lookAtKeys(
  { jwksUri }: Discovery,
  { trustDomain }: IssuerConfig,
  world: World,
): Promise<Finding<JwtBundle>> {
  const document = await getDocument(jwksUri, world);
  if (document.status === 'fail') return document;
  const keys: unknown = document.value.json['keys'];
  if (!Array.isArray(keys) || keys.length === 0) {
    return bad(`${jwksUri} has no keys`, 'An empty key set is kept by those who read it: see the log of the issuer.');
  }
  const objects: readonly Readonly<Record<string, unknown>>[] = keys.map((key) => ({ ...key }));
  if (objects.some((key) => PRIVATE_MEMBERS.some((name) => Object.hasOwn(key, name)))) {
    return bad(
      `${jwksUri} has a private key in it`,
      'Take it away at once and replace that key: whoever has read it can sign as anybody.',
    );
  }
  if (objects.some(({ kid, use }) => typeof kid !== 'string' || kid === '' || use !== 'sig')) {
    return bad(
      `${jwksUri} has a key without "kid", or whose "use" is not "sig"`,
      "Clouds pass it over. A SPIFFE bundle (use: jwt-svid) is not the issuer's key set: publish the one of svidx.",
    );
  }
  for (const kty of ['RSA', 'EC']) {
    if (objects.filter((key) => key['kty'] === kty).length > MAX_KEYS) {
      return bad(`${jwksUri} has more than ${MAX_KEYS} ${kty} keys`, 'AWS reads no more: take out those that expired.');
    }
  }
  const published = JwtBundle.parse(trustDomain, document.value.bytes);
  const keyIds = published.authorities.map(({ keyId }) => keyId).join(', ');
  return typed(document.value, `${document.saw}: ${keyIds}`, published);
}

/** Good, if a document says that it is JSON. Some readers insist on it. */
function typed<T>({ contentType }: FetchedDocument, saw: string, value: T): Finding<T> {
  if (/^application\/([\w.-]+\+)?json *(;|$)/i.test(contentType)) return ok(saw, value);
  return {
    status: 'warn',
    saw: `${saw}; its Content-Type is ${contentType}`,
    advice: 'Serve it as application/json: some readers insist on it.',
    value,
  };
}

/** The texts of a list; none where it is not a list of texts. */
function textsOf(value: unknown): readonly string[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : [];
  return items.filter((item) => typeof item === 'string');
}

function bad(saw: string, advice: string): Finding<never> {
  return { status: 'fail', saw, advice };
}
