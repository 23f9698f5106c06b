import type { Certificate } from './certificate.ts';
import { isUnsoundRsa } from './rsa-key.ts';

/** The curves that SPIRE, and the public web, use. */
const CURVES: readonly unknown[] = ['prime256v1', 'secp384r1', 'secp521r1'];

/** Signature algorithms by their object identifiers (RFC 5758 section 3.2, RFC 8017 appendix A.2.4, RFC 8410 section 3). */
const SIGNATURE_ALGORITHMS: readonly string[] = [
  // ecdsa-with-SHA256, -SHA384, -SHA512
  '2a8648ce3d040302',
  '2a8648ce3d040303',
  '2a8648ce3d040304',
  // sha256WithRSAEncryption, sha384, sha512
  '2a864886f70d01010b',
  '2a864886f70d01010c',
  '2a864886f70d01010d',
  // Ed25519
  '2b6570',
];

export interface PathOptions {
  /** What was shown beside the leaf: believed only as far as it is vouched for itself. */
  readonly others: readonly Certificate[];
  /** Whom we trust. */
  readonly authorities: readonly Certificate[];
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Looks for a path from a certificate to one of the authorities (RFC 5280 section 6.1). Each link is a signature made by a
 * certificate that is an authority, valid now, for this purpose, and far enough from the leaf by its own word.
 *
 * Breadth first, and each certificate once: the shortest path is found, in bounded time. Stricter than the document where it
 * costs nobody anything: the authorities we trust are held to the same rules, self-issued certificates count as others do, and
 * name constraints, which are not understood here, end a path.
 * @returns until when all of the path is valid, in milliseconds since 1970; `undefined` where there is no path
 */
export function findPath(leaf: Certificate, { others, authorities, now }: PathOptions): number | undefined {
  let frontier = [{ certificate: leaf, validUntil: leaf.notAfter }];
  let unseen = others;
  for (let below = 0; frontier.length > 0; below += 1) {
    const issuers = (candidates: readonly Certificate[]): typeof frontier =>
      candidates.flatMap((issuer) => {
        if (!mayIssue(issuer, below, now)) return [];
        const issued = frontier.find(({ certificate }) => isIssuedBy(certificate, issuer));
        return issued === undefined
          ? []
          : [{ certificate: issuer, validUntil: Math.min(issuer.notAfter, issued.validUntil) }];
      });
    const [found] = issuers(authorities);
    if (found !== undefined) return found.validUntil;
    frontier = issuers(unseen);
    const reached = frontier.map(({ certificate }) => certificate);
    unseen = unseen.filter((candidate) => !reached.includes(candidate));
  }
  return undefined;
}

/** Whether its key is of a kind and a size that nobody can break or forge. */
export function isSoundKey({ x509: { publicKey } }: Certificate): boolean {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = publicKey;
  if (type === 'ec') return CURVES.includes(details?.namedCurve);
  return type === 'ed25519' || (type === 'rsa' && !isUnsoundRsa(publicKey));
}

/** @param below how many authorities stand between it and the leaf */
function mayIssue(issuer: Certificate, below: number, now: number): boolean {
  const { isAuthority, pathLength, keyUsage, isForClients, hasUnknownConstraints, notBefore, notAfter } = issuer;
  return (
    isAuthority &&
    (pathLength === undefined || below <= pathLength) &&
    keyUsage?.keyCertSign !== false &&
    isForClients !== false &&
    !hasUnknownConstraints &&
    notBefore <= now &&
    now <= notAfter &&
    isSoundKey(issuer)
  );
}

function isIssuedBy({ x509, signatureAlgorithm }: Certificate, issuer: Certificate): boolean {
  return (
    SIGNATURE_ALGORITHMS.includes(signatureAlgorithm) &&
    x509.checkIssued(issuer.x509) &&
    x509.verify(issuer.x509.publicKey)
  );
}
