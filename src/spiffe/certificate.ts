import { X509Certificate } from 'node:crypto';
import { type DerValue, readDer, readDerSequence, TAG } from './der.ts';

/** What a certificate's key is for (RFC 5280 section 4.2.1.3), as far as X509-SVIDs ask. */
export interface KeyUsage {
  readonly digitalSignature: boolean;
  readonly keyCertSign: boolean;
  readonly cRLSign: boolean;
}

/** An X.509 certificate and what its extensions say. Nothing of it is verified. */
export interface Certificate {
  readonly x509: X509Certificate;
  /** Milliseconds since 1970; it is valid from the first to the last of them. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** The algorithm it was signed with, an object identifier in hexadecimal. */
  readonly signatureAlgorithm: string;
  /** `cA` of its basic constraints. */
  readonly isAuthority: boolean;
  /** How many authorities may stand below it; `undefined` for any number. */
  readonly pathLength: number | undefined;
  readonly keyUsage: KeyUsage | undefined;
  /** Whether TLS clients are among those its key is for; `undefined` where it says nothing of whom. */
  readonly isForClients: boolean | undefined;
  /** The URIs among its subject alternative names, as they are written. */
  readonly uris: readonly string[];
  /** Whether it says something that must be understood to be relied on, and is not here. */
  readonly hasUnknownConstraints: boolean;
}

/** Extensions (RFC 5280 section 4.2) by their object identifiers in hexadecimal. */
const KEY_USAGE = '551d0f';
const SUBJECT_ALT_NAME = '551d11';
const BASIC_CONSTRAINTS = '551d13';
const NAME_CONSTRAINTS = '551d1e';
const EXTENDED_KEY_USAGE = '551d25';
const UNDERSTOOD = [KEY_USAGE, SUBJECT_ALT_NAME, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE];

/** id-kp-clientAuth, 1.3.6.1.5.5.7.3.2. */
const CLIENT_AUTH = '2b06010505070302';

/** RFC 5280 section 4.2.1.6: uniformResourceIdentifier, [6] IMPLICIT. */
const URI_NAME = 0x86;

/** RFC 5280 section 4.1: extensions, [3] EXPLICIT. */
const EXTENSIONS = 0xa3;

/**
 * Reads a certificate (RFC 5280 section 4.1). OpenSSL reads names, key and signature; the extensions are read here, since Node
 * shows few of them, and of those some as text for people.
 * @throws RangeError or what OpenSSL throws, for bytes that are not one certificate in DER
 */
export function parseCertificate(der: Uint8Array): Certificate {
  const [tbs, algorithm] = readDerSequence(der);
  const x509 = new X509Certificate(der);
  const [oid] = readDerSequence(present(algorithm).bytes);
  const extensions = readExtensions(readDerSequence(present(tbs).bytes).find(({ tag }) => tag === EXTENSIONS));
  const read = (name: string): Uint8Array | undefined => extensions.get(name)?.value;
  const usage = read(KEY_USAGE);
  const purposes = read(EXTENDED_KEY_USAGE);
  return Object.freeze({
    x509,
    notBefore: readTime(x509.validFrom),
    notAfter: readTime(x509.validTo),
    signatureAlgorithm: hex(present(oid).content),
    ...readBasicConstraints(read(BASIC_CONSTRAINTS)),
    keyUsage: usage && readKeyUsage(usage),
    isForClients: purposes && readDerSequence(purposes).some(({ content }) => hex(content) === CLIENT_AUTH),
    uris: readUris(read(SUBJECT_ALT_NAME)),
    hasUnknownConstraints:
      extensions.has(NAME_CONSTRAINTS) ||
      [...extensions].some(([name, { critical }]) => critical && !UNDERSTOOD.includes(name)),
  });
}

interface Extension {
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** RFC 5280 section 4.2: each extension is there once at most. */
function readExtensions(explicit: DerValue | undefined): ReadonlyMap<string, Extension> {
  const extensions = new Map<string, Extension>();
  for (const { bytes } of explicit === undefined ? [] : readDerSequence(explicit.content)) {
    const parts = readDerSequence(bytes);
    const [oid, second, third] = parts;
    const critical = parts.length === 3 && readBoolean(present(second));
    const value = readDer(present(parts.length === 3 ? third : second).bytes, TAG.octetString);
    const name = hex(readDer(present(oid).bytes, TAG.oid));
    if (extensions.has(name)) throw new RangeError('an extension is there twice');
    extensions.set(name, { critical, value });
  }
  return extensions;
}

/** RFC 5280 section 4.2.1.9. */
function readBasicConstraints(value: Uint8Array | undefined): Pick<Certificate, 'isAuthority' | 'pathLength'> {
  const [authority, length, another] = value === undefined ? [] : readDerSequence(value);
  if (another !== undefined) throw new RangeError('not basic constraints');
  return {
    isAuthority: authority !== undefined && readBoolean(authority),
    pathLength: length && readPathLength(length),
  };
}

/** `INTEGER (0..MAX)`: a negative one (X.690 section 8.3.3) would allow more than its authority has said. */
function readPathLength({ bytes }: DerValue): number {
  const content = readDer(bytes, TAG.integer);
  const [first] = content;
  if (first === undefined || first >= 0x80) throw new RangeError('not a path length');
  return Number.parseInt(hex(content), 16);
}

/** A named bit list: the first octet says how many bits of the last one are unused (X.690 section 8.6). */
function readKeyUsage(value: Uint8Array): KeyUsage {
  const [, bits = 0] = readDer(value, TAG.bitString);
  return {
    digitalSignature: (bits & 0x80) !== 0,
    keyCertSign: (bits & 0x04) !== 0,
    cRLSign: (bits & 0x02) !== 0,
  };
}

function readUris(value: Uint8Array | undefined): string[] {
  if (value === undefined) return [];
  return readDerSequence(value)
    .filter(({ tag }) => tag === URI_NAME)
    .map(({ content }) => Buffer.from(content).toString('latin1'));
}

/** As OpenSSL prints it, such as `Nov 22 13:00:00 2026 GMT`. */
function readTime(text: string): number {
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new RangeError('not a time');
  return time;
}

/** X.690 section 11.1. */
function readBoolean({ bytes }: DerValue): boolean {
  const content = readDer(bytes, TAG.boolean);
  if (content.length !== 1 || (content[0] !== 0x00 && content[0] !== 0xff)) throw new RangeError('not a truth value');
  return content[0] === 0xff;
}

function present(value: DerValue | undefined): DerValue {
  if (value === undefined) throw new RangeError('a part is missing');
  return value;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
