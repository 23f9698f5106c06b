import { createRemoteJWKSet, customFetch, decodeProtectedHeader, jwtVerify } from 'jose';
import { discover } from '../../support/discover.ts';

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
  const discovered = await discover(issuer);
  let fetches = 0;
  const keys = createRemoteJWKSet(discovered.keysUrl, {
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
      await jwtVerify(token, keys, { issuer, audience, algorithms: discovered.algorithms, typ: 'JWT' });
      return decodeProtectedHeader(token).kid ?? '';
    },
  };
}

/** The IDs of the keys that an issuer publishes, sorted. */
export async function publishedKeys(keysUrl: string): Promise<readonly string[]> {
  const { keys }: { keys: { kid: string }[] } = JSON.parse(await (await fetch(keysUrl)).text());
  return keys.map(({ kid }) => kid).toSorted();
}
