import { type ErrorCode, SvidxError, toSvidxError } from '../base/errors.ts';
import { type Certificate, parseCertificate } from './certificate.ts';
import { findPath, isSoundKey } from './certificate-path.ts';
import { SpiffeId } from './spiffe-id.ts';
import type { X509Bundle, X509BundleSet } from './x509-bundle.ts';

/** A verified X509-SVID. */
export interface X509Svid {
  readonly spiffeId: SpiffeId;
  /** The bundle that it was verified with. */
  readonly bundle: X509Bundle;
  /** Until when it and all that vouch for it are valid, in milliseconds since 1970. */
  readonly validUntil: number;
}

export interface VerifyX509Options {
  readonly bundles: X509BundleSet;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** SPIRE's chains are two or three certificates long. */
const MAX_CERTIFICATES = 10;

/**
 * Verifies an X509-SVID (X509-SVID section 5): a leaf with one SPIFFE ID, vouched for by the authorities of the trust domain
 * that this ID names, and of no other. Nothing else is trusted, whatever the system trusts.
 *
 * That whoever shows it has its private key is for TLS to see.
 * @param chain certificates in DER: its own first, then those that lead from it to an authority, in any order
 * @throws SvidxError `certificate_*`
 */
export function verifyX509Svid(chain: readonly Uint8Array[], { bundles, now }: VerifyX509Options): X509Svid {
  if (chain.length > MAX_CERTIFICATES) throw malformed(`comes with more than ${MAX_CERTIFICATES} certificates`);
  const [leaf, ...others] = chain.map(parse);
  if (leaf === undefined) throw new SvidxError('certificate_missing', 'no client certificate was shown');
  const spiffeId = readSpiffeId(leaf);
  checkLeaf(leaf);
  const bundle = bundles.get(spiffeId.trustDomain);
  if (bundle === undefined) {
    throw refusal(
      'certificate_trust_domain_unknown',
      `is of the trust domain ${spiffeId.trustDomain}, of which no bundle is at hand`,
    );
  }
  if (now > leaf.notAfter) throw refusal('certificate_expired', `expired at ${isoTime(leaf.notAfter)}`);
  if (now < leaf.notBefore)
    throw refusal('certificate_not_yet_valid', `is not valid before ${isoTime(leaf.notBefore)}`);
  const authorities = bundle.authorities.map(({ certificate }) => certificate);
  const validUntil = findPath(leaf, { others, authorities, now });
  if (validUntil === undefined) {
    throw refusal(
      'certificate_untrusted',
      `is not vouched for by an authority of the trust domain ${spiffeId.trustDomain}`,
    );
  }
  return Object.freeze({ spiffeId, bundle, validUntil });
}

function parse(der: Uint8Array): Certificate {
  try {
    return parseCertificate(der);
  } catch (cause) {
    throw new SvidxError('certificate_malformed', 'the client certificate, or one of its chain, cannot be read', {
      cause,
    });
  }
}

/** X509-SVID section 2: one URI SAN, which is the SPIFFE ID. Section 5.2: that of a leaf has a path. */
function readSpiffeId({ uris }: Certificate): SpiffeId {
  const [uri, ...more] = uris;
  if (uri === undefined) throw malformed('has no URI among its alternative names, and so no SPIFFE ID');
  if (more.length > 0) throw malformed('has more than one URI among its alternative names');
  try {
    const spiffeId = SpiffeId.parse(uri);
    if (spiffeId.path !== '') return spiffeId;
  } catch (error) {
    throw malformed(`has a malformed SPIFFE ID: ${toSvidxError(error).message}`);
  }
  throw malformed('has the SPIFFE ID of a trust domain, not of a workload');
}

/** X509-SVID sections 4.1, 4.3, 4.4 and 5.2. (go-spiffe asks for no `digitalSignature` and looks at no extended key usage.) */
function checkLeaf(leaf: Certificate): void {
  const { keyUsage } = leaf;
  if (leaf.isAuthority) throw malformed('is that of an authority, not of a workload');
  if (keyUsage?.keyCertSign || keyUsage?.cRLSign) throw malformed('has a key that may sign certificates');
  if (!keyUsage?.digitalSignature) throw malformed('has a key that is not said to be for signatures');
  if (leaf.isForClients === false) throw malformed('is not for clients: its extended key usage lacks clientAuth');
  if (leaf.hasUnknownConstraints) throw malformed('has a critical extension that is not understood here');
  if (!isSoundKey(leaf)) throw malformed('has a key of a kind or a size that is not accepted');
}

function malformed(problem: string): SvidxError {
  return refusal('certificate_malformed', problem);
}

function refusal(code: ErrorCode, problem: string): SvidxError {
  return new SvidxError(code, `the client certificate ${problem}`);
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
