import { SvidxError } from '../base/errors.ts';
import { isJsonObject, parseJson } from '../base/json.ts';
import { jsonMembers } from '../base/json-members.ts';
import { JwtBundle } from './jwt-bundle.ts';
import type { TrustDomain } from './trust-domain.ts';

/** A SPIFFE bundle (SPIFFE Trust Domain and Bundle section 4), as far as JWT-SVIDs go. */
export interface BundleDocument {
  readonly bundle: JwtBundle;
  /** `spiffe_sequence`: grows with each change; `undefined` where the document does not say. */
  readonly sequence: bigint | undefined;
  /** `spiffe_refresh_hint` in seconds, more than 0; `undefined` where the document says nothing of use. */
  readonly refreshHintSeconds: number | undefined;
}

const MAX_SEQUENCE = 2n ** 64n - 1n;

/**
 * Reads a SPIFFE bundle of this trust domain, which the document itself does not name.
 *
 * Keys whose `use` is not `jwt-svid` are passed over, those without `use` too (section 4.2.2): unlike in the JWK Sets of the
 * Workload API. A bundle without any is legal and trusts nothing (section 4.1.3).
 * @throws SvidxError `bundle_invalid`
 */
export function parseBundleDocument(trustDomain: TrustDomain, json: Uint8Array): BundleDocument {
  const bundle = JwtBundle.parse(trustDomain, json, 'spiffe-bundle');
  const document = parseJson(json);
  const hint = isJsonObject(document) ? document['spiffe_refresh_hint'] : undefined;
  return {
    bundle,
    sequence: readSequence(trustDomain, Buffer.from(json).toString('utf8')),
    refreshHintSeconds: typeof hint === 'number' && Number.isSafeInteger(hint) && hint > 0 ? hint : undefined,
  };
}

/**
 * Reads what somebody has put into a file as the keys of this trust domain: a SPIFFE bundle where it says of itself that
 * it is one, with a `spiffe_*` member or with a key for SVIDs, else a plain JWK Set.
 * @throws SvidxError `bundle_invalid`
 */
export function parseBundleOrKeySet(trustDomain: TrustDomain, json: Uint8Array): JwtBundle {
  return JwtBundle.parse(trustDomain, json, isBundleDocument(parseJson(json)) ? 'spiffe-bundle' : 'jwk-set');
}

function isBundleDocument(document: unknown): boolean {
  if (!isJsonObject(document)) return false;
  if (Object.keys(document).some((name) => name.startsWith('spiffe_'))) return true;
  const keys: unknown = document['keys'];
  return (
    Array.isArray(keys) &&
    keys.some((key: unknown) => isJsonObject(key) && typeof key['use'] === 'string' && key['use'].endsWith('-svid'))
  );
}

/** From the text itself: as a JavaScript number it would be rounded beyond 2^53 (section 4.1.1 wants 64 bits). */
function readSequence(trustDomain: TrustDomain, text: string): bigint | undefined {
  let sequence: bigint | undefined;
  for (const { depth, name, valueAt } of jsonMembers(text)) {
    if (depth !== 1 || name !== 'spiffe_sequence') continue;
    const digits = /^\d{1,20}(?=[\s,}])/.exec(text.slice(valueAt, valueAt + 21))?.[0];
    if (digits === undefined || BigInt(digits) > MAX_SEQUENCE) {
      throw new SvidxError(
        'bundle_invalid',
        `the bundle of ${trustDomain.name} must have a whole number as its "spiffe_sequence"`,
      );
    }
    sequence = BigInt(digits);
  }
  return sequence;
}
