import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { SvidxError } from '../../src/base/errors.ts';
import { basicConstraints, extendedKeyUsage, keyUsage, subjectAltName } from '../../src/dev/certificates/extensions.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { X509Bundle, type X509BundleSet } from '../../src/spiffe/x509-bundle.ts';
import { verifyX509Svid } from '../../src/spiffe/x509-svid.ts';
import { type CertificateOptions, createCertificate, type TestCertificate } from './certificates.ts';

export const HOST_ID = 'spiffe://example.org/host/a';

type Changes = Omit<CertificateOptions, 'hosts'>;

/** An authority for X509-SVIDs; signs itself unless an issuer is named. */
export function createAuthorityCertificate(options: Changes & { pathLength?: number; parts?: Buffer[] } = {}) {
  const { pathLength, parts = [keyUsage('keyCertSign', 'cRLSign')], ...changes } = options;
  return createCertificate({ hosts: [], extensions: [basicConstraints(true, pathLength), ...parts], ...changes });
}

/** The extensions of a leaf, of which a test replaces one or leaves it out (`[]`). */
export interface LeafParts {
  readonly constraints?: readonly Buffer[];
  readonly usage?: readonly Buffer[];
  readonly purposes?: readonly Buffer[];
  /** The URIs among its names. */
  readonly uris?: readonly string[];
  readonly names?: Parameters<typeof subjectAltName>[0];
  readonly more?: readonly Buffer[];
}

/** An X509-SVID of `spiffe://example.org/host/a`, as SPIRE makes them, but for what a test changes. */
export function createSvidCertificate(issuer: TestCertificate, parts: LeafParts = {}, changes: Changes = {}) {
  const names = (parts.uris ?? [HOST_ID]).map((uri) => ['uri', Buffer.from(uri, 'latin1')] as const);
  const extensions = [
    ...(parts.usage ?? [keyUsage('digitalSignature', 'keyEncipherment')]),
    ...(parts.purposes ?? [extendedKeyUsage('serverAuth', 'clientAuth')]),
    ...(parts.constraints ?? [basicConstraints(false)]),
    ...(names.length + (parts.names?.length ?? 0) === 0 ? [] : [subjectAltName([...names, ...(parts.names ?? [])])]),
    ...(parts.more ?? []),
  ];
  return createCertificate({ hosts: [], extensions, issuer, ...changes });
}

/** The certificate's own bytes. */
export function derOf({ cert }: Pick<TestCertificate, 'cert'>): Buffer {
  return new X509Certificate(cert).raw;
}

/** The leaf first, then what leads to an authority: what a client of TLS is given. */
export function chained(leaf: TestCertificate, ...others: readonly TestCertificate[]): TestCertificate {
  return { cert: [leaf, ...others].map(({ cert }) => cert).join(''), key: leaf.key };
}

export function x509Bundle(name: string, ...authorities: readonly TestCertificate[]): X509Bundle {
  return X509Bundle.parse(TrustDomain.parse(name), Buffer.concat(authorities.map(derOf)));
}

export function x509BundleSet(...bundles: readonly X509Bundle[]): X509BundleSet {
  return { get: (wanted) => bundles.find(({ trustDomain }) => trustDomain.equals(wanted)) };
}

/** An RSA key pair; weak ones included. */
export function rsaKeys(modulusLength: number) {
  return generateKeyPairSync('rsa', { modulusLength });
}

/** The SPIFFE ID that these certificates prove, or the code of the refusal. */
export function verifiedIdOf(chain: readonly TestCertificate[], bundles: X509BundleSet, now: number): string {
  try {
    return verifyX509Svid(chain.map(derOf), { bundles, now }).spiffeId.toString();
  } catch (error) {
    if (error instanceof SvidxError) return error.code;
    throw error;
  }
}
