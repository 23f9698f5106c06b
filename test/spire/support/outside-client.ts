import { createRemoteJWKSet, customFetch, decodeProtectedHeader, jwtVerify } from 'jose';

/** A relying party that knows nothing but the issuer's URL. */
export interface OutsideClient {
  /** How often it has fetched the key set. */
  readonly fetches: number;
  /**
   * Verifies a token as a cloud does. Returns the ID of the key that had signed it.
   * @throws when it does not verify
   */
  verify(token: string, audience: string): Promise<string>;
}

/** OpenID Connect discovery, then jose's remote key set: it fetches keys when it sees one that it does not know. */
export async function createOutsideClient(issuer: string): Promise<OutsideClient> {
  const answer = await fetch(`${issuer}/.well-known/openid-configuration`);
  const document: { issuer: string; jwks_uri: string } = JSON.parse(await answer.text());
  if (document.issuer !== issuer) throw new Error(`the document is of ${document.issuer}`);
  let fetches = 0;
  const keys = createRemoteJWKSet(new URL(document.jwks_uri), {
    // Its half a minute between two fetches, as a test can wait it out.
    cooldownDuration: 0,
    [customFetch]: (url, options) => {
      fetches += 1;
      return fetch(url, options);
    },
  });
  return {
    get fetches() {
      return fetches;
    },
    async verify(token, audience) {
      await jwtVerify(token, keys, { issuer, audience, algorithms: ['RS256', 'ES256', 'ES384'], typ: 'JWT' });
      return decodeProtectedHeader(token).kid ?? '';
    },
  };
}

/** The IDs of the keys that an issuer publishes, sorted. */
export async function publishedKeys(keysUrl: string): Promise<readonly string[]> {
  const { keys }: { keys: { kid: string }[] } = JSON.parse(await (await fetch(keysUrl)).text());
  return keys.map(({ kid }) => kid).toSorted();
}
