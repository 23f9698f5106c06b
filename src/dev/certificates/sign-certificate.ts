import { type KeyObject, randomBytes, sign } from 'node:crypto';
import { bitString, der, explicit, integer, oid, sequence, time, utf8String } from './der-writer.ts';

/** What a certificate says (RFC 5280 section 4.1). */
export interface CertificateContent {
  /** Its common name. */
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: readonly Buffer[];
}

/** Who signs it. */
export interface CertificateSigner {
  /** Its common name. */
  readonly subject: string;
  readonly privateKey: KeyObject;
  /** ECDSA with SHA-256 where nothing else is said. */
  readonly algorithm?: SignatureAlgorithm;
}

export interface SignatureAlgorithm {
  /** Its object identifier. */
  readonly id: string;
  readonly digest: string;
}

const ECDSA_WITH_SHA256: SignatureAlgorithm = { id: '1.2.840.10045.4.3.2', digest: 'sha256' };

/** Makes an X.509 certificate: what node:crypto can read but not write. */
export function signCertificate(content: CertificateContent, signer: CertificateSigner): Buffer {
  const { id, digest } = signer.algorithm ?? ECDSA_WITH_SHA256;
  const algorithm = sequence(oid(id));
  const tbs = sequence(
    explicit(0, integer(Buffer.of(2))),
    integer(randomBytes(16)),
    algorithm,
    commonName(signer.subject),
    sequence(time(content.notBefore), time(content.notAfter)),
    commonName(content.subject),
    content.publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(...content.extensions)),
  );
  return sequence(tbs, algorithm, bitString(sign(digest, tbs, signer.privateKey)));
}

/** A certificate, or several, in PEM (RFC 7468 section 5). */
export function toPem(...certificates: readonly Buffer[]): string {
  return certificates
    .map((bytes) => bytes.toString('base64').replace(/.{64}/g, '$&\n').trimEnd())
    .map((base64) => `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`)
    .join('');
}

function commonName(text: string): Buffer {
  return sequence(der(0x31, sequence(oid('2.5.4.3'), utf8String(text))));
}
