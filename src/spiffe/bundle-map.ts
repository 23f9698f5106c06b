import { SvidxError } from '../base/errors.ts';
import { isJsonObject, parseJson } from '../base/json.ts';
import { jsonMembers } from '../base/json-members.ts';
import { JwtBundle, type JwtBundleSet, jwtBundleSet } from './jwt-bundle.ts';
import { TrustDomain } from './trust-domain.ts';

/**
 * Reads the bundles of several trust domains, which stay apart. Two forms: a JSON object from trust domain name to JWK
 * Set, or a SPIFFE Bundle Map, `{"trust_domains": {...}}` from name to SPIFFE bundle (SPIFFE Trust Domain and Bundle
 * section 5).
 *
 * A name that is written twice is refused, in any object of the text: readers differ in which one they take.
 * @throws SvidxError `bundle_invalid` or `trust_domain_invalid`
 */
export function parseBundleMap(json: Uint8Array): JwtBundleSet {
  const document = parseJson(json);
  if (!isJsonObject(document)) {
    throw new SvidxError('bundle_invalid', 'expected a JSON object from trust domain name to JWK Set');
  }
  refuseDuplicates(Buffer.from(json).toString());
  const map = document['trust_domains'];
  // A trust domain may itself be called "trust_domains": then its key set is what stands there.
  const [bundles, format] =
    isJsonObject(map) && !Array.isArray(map['keys'])
      ? ([map, 'spiffe-bundle'] as const)
      : ([document, 'jwk-set'] as const);
  return jwtBundleSet(
    Object.entries(bundles).map(([name, bundle]) =>
      JwtBundle.parse(TrustDomain.parse(name), JSON.stringify(bundle), format),
    ),
  );
}

/** Says which name it is, as the strict reader of one bundle does not. */
function refuseDuplicates(text: string): void {
  try {
    for (const { name, isDuplicate } of jsonMembers(text)) {
      if (isDuplicate) throw new SvidxError('bundle_invalid', `${JSON.stringify(name)} is written twice`);
    }
  } catch (error) {
    throw error instanceof RangeError ? new SvidxError('bundle_invalid', 'is nested too deeply') : error;
  }
}
