import { SvidxError } from '../base/errors.ts';
import { type Certificate, parseCertificate } from './certificate.ts';
import { type DerValue, readDerValues } from './der.ts';
import type { TrustDomain } from './trust-domain.ts';

/** A bundle holds two or three authorities in practice; anything near this is not a bundle. */
const MAX_AUTHORITIES = 1000;

/** One certificate authority that may sign X509-SVIDs of a trust domain. */
export interface X509Authority {
  /** SHA-256 of the certificate, in hexadecimal: a name for logs. */
  readonly keyId: string;
  readonly certificate: Certificate;
}

/** The certificate authorities of one trust domain. Those of different trust domains never meet in one object. */
export class X509Bundle {
  readonly trustDomain: TrustDomain;
  /** Each once, sorted. */
  readonly authorities: readonly X509Authority[];
  /** How many certificates were passed over: unreadable ones, and those that are no authority. */
  readonly skippedKeys: number;

  private constructor(trustDomain: TrustDomain, authorities: readonly X509Authority[], skippedKeys: number) {
    const byId = new Map(authorities.map((authority) => [authority.keyId, authority]));
    this.trustDomain = trustDomain;
    this.authorities = Object.freeze([...byId.values()].sort((a, b) => (a.keyId < b.keyId ? -1 : 1)));
    this.skippedKeys = skippedKeys;
    Object.freeze(this);
  }

  /**
   * Reads the authorities of a trust domain as SPIRE's streams carry them: certificates in DER, one after the other.
   *
   * Certificates that cannot sign are skipped, not errors, as in a JWT bundle. None at all is legal, and trusts nothing.
   * @throws SvidxError `bundle_invalid`
   */
  static parse(trustDomain: TrustDomain, der: Uint8Array): X509Bundle {
    const values = split(trustDomain, der);
    const authorities = values.map(parseAuthority).filter((authority) => authority !== undefined);
    return new X509Bundle(trustDomain, authorities, values.length - authorities.length);
  }

  /** Whether this bundle trusts exactly the same authorities. */
  equals(other: X509Bundle): boolean {
    const ids = ({ authorities }: X509Bundle): string => authorities.map(({ keyId }) => keyId).join();
    return this.trustDomain.equals(other.trustDomain) && ids(this) === ids(other);
  }
}

/** The bundles of several trust domains, each found by its own name only. */
export interface X509BundleSet {
  get(trustDomain: TrustDomain): X509Bundle | undefined;
}

function split(trustDomain: TrustDomain, der: Uint8Array): readonly DerValue[] {
  let values: readonly DerValue[];
  try {
    values = readDerValues(der);
  } catch (cause) {
    const problem = `the X.509 bundle of ${trustDomain.name} must be certificates in DER, one after the other`;
    throw new SvidxError('bundle_invalid', problem, { cause });
  }
  if (values.length <= MAX_AUTHORITIES) return values;
  throw new SvidxError(
    'bundle_invalid',
    `the X.509 bundle of ${trustDomain.name} has more than ${MAX_AUTHORITIES} certificates`,
  );
}

function parseAuthority({ bytes }: DerValue): X509Authority | undefined {
  try {
    const certificate = parseCertificate(bytes);
    if (!certificate.isAuthority) return undefined;
    const keyId = certificate.x509.fingerprint256.replaceAll(':', '').toLowerCase();
    return Object.freeze({ keyId, certificate });
  } catch {
    return undefined;
  }
}
