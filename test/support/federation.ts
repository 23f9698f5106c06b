import { systemClock } from '../../src/base/clock.ts';
import { type JwtSvid, parseJwtSvidUnverified } from '../../src/spiffe/jwt-svid.ts';
import { startIssuer } from './issuer.ts';
import { makeKey, type TestAlgorithm, type TestKey } from './jwk.ts';

export const SUBJECT = 'spiffe://example.org/team/api';

/** RSA keys take a while, so a file's tests share them. */
const keys = new Map<TestAlgorithm, Promise<TestKey>>();

/** Our issuer, and JWT-SVIDs of it. */
export interface Federation {
  readonly issuer: string;
  /** A good one for this audience, with other claims or a key of its own. */
  mint(
    audience: string,
    changes?: { readonly claims?: Readonly<Record<string, unknown>>; readonly key?: TestKey },
  ): Promise<JwtSvid>;
}

export async function startFederation(alg: TestAlgorithm = 'RS256'): Promise<Federation> {
  const making = keys.get(alg) ?? makeKey(alg, 'published');
  keys.set(alg, making);
  const published = await making;
  const { issuer } = await startIssuer({ keys: [published.jwk] });
  return {
    issuer: issuer.url,
    async mint(audience, { claims = {}, key = published } = {}) {
      const now = Math.floor(systemClock.now() / 1000);
      const own = { iss: issuer.url, sub: SUBJECT, aud: [audience], iat: now, exp: now + 300 };
      return parseJwtSvidUnverified(await key.sign({ ...own, ...claims }));
    },
  };
}
