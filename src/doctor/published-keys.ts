import { toSvidxError } from '../base/errors.ts';
import type { JwtAuthority, JwtBundle } from '../spiffe/jwt-bundle.ts';
import type { Minted } from './entries.ts';
import type { Discovery } from './issuer-documents.ts';
import { verifySignature } from './tokens.ts';
import { type Finding, ok } from './walk.ts';

/** Whether each token verifies as a cloud would do it: with a published key, and an algorithm that is advertised. */
export async function judgeSigningKey(
  minted: readonly Minted[],
  published: JwtBundle,
  { algorithms }: Discovery,
): Promise<Finding<undefined>> {
  for (const { policy, svid } of minted) {
    try {
      await verifySignature(svid, published);
    } catch (error) {
      return {
        status: 'fail',
        saw: `the token of ${policy.component} is signed with ${svid.keyId ?? 'an unnamed key'}, and published are ${idsOf(published.authorities)}`,
        advice:
          'Does the issuer take its keys from this trust domain? Is an old document cached on the way? Until this is\n' +
          'mended, clouds say that the token is invalid.',
        code: toSvidxError(error).code,
      };
    }
    if (!algorithms.includes(svid.algorithm)) {
      return {
        status: 'fail',
        saw: `the token of ${policy.component} is signed with ${svid.algorithm}, and advertised are ${algorithms.join(', ')}`,
        advice: 'The discovery document is out of date: is it cached, or was it written by hand?',
      };
    }
  }
  return ok('the key that tokens are signed with is published');
}

/** Whether all keys of the trust domain are published, the next one included, which signs some hours from now. */
export function judgePublishedKeys(bundle: JwtBundle, published: JwtBundle): Finding<undefined> {
  const missing = bundle.authorities.filter((authority) => !isAmong(published, authority));
  if (missing.length === 0) return ok('all keys of the bundle are published');
  const saw = `of the bundle's keys these are not published: ${idsOf(missing)}`;
  if (missing.length === bundle.authorities.length) {
    return { status: 'fail', saw, advice: 'The issuer publishes the keys of something else: see signing-key.' };
  }
  return {
    status: 'warn',
    saw,
    advice: 'After a rotation this passes within minutes. If it does not, see the log of the issuer and the caches.',
    value: undefined,
  };
}

/** The same key under the same ID. */
function isAmong(published: JwtBundle, { keyId, key }: JwtAuthority): boolean {
  return published.candidates(keyId).some((candidate) => candidate.key.equals(key));
}

function idsOf(authorities: readonly JwtAuthority[]): string {
  return authorities.length === 0 ? 'none' : authorities.map(({ keyId }) => keyId).join(', ');
}
