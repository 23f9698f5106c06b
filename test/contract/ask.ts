import type { RawDelegate, RawOutcome, RawSvid } from '../support/raw-delegate.ts';
import { selector } from './selector.ts';

export const NO_IDENTITY = { code: 7, details: 'no identity issued' };
export const NOT_A_DELEGATE = { code: 7, details: 'caller not configured as an authorized delegate' };

/** The JWT-SVIDs for these selectors, in text form; throws where the agent refuses. */
export async function fetchSvids(
  delegate: RawDelegate,
  audience: readonly string[],
  ...selectors: readonly string[]
): Promise<readonly RawSvid[]> {
  const outcome = await delegate.fetch({ audience, selectors: selectors.map(selector) });
  if ('svids' in outcome) return outcome.svids;
  throw new Error(`refused: ${outcome.code} ${outcome.details}`);
}

/** The one JWT-SVID for these selectors. */
export async function fetchSvid(
  delegate: RawDelegate,
  audience: readonly string[],
  ...selectors: readonly string[]
): Promise<RawSvid> {
  const [svid, ...others] = await fetchSvids(delegate, audience, ...selectors);
  if (svid === undefined || others.length > 0) throw new Error(`expected one JWT-SVID, got ${others.length + 1}`);
  return svid;
}

/** The paths of the identities that come back for these selectors, or the refusal. */
export async function identities(delegate: RawDelegate, selectors: readonly object[]): Promise<unknown> {
  const outcome: RawOutcome<{ readonly svids: readonly RawSvid[] }> = await delegate.fetch({
    audience: ['identities'],
    selectors,
  });
  return 'svids' in outcome ? outcome.svids.map(({ id }) => id.path) : outcome;
}
