import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

/** A certificate with its private key, both as PEM. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** DNS names and IP addresses it is for (RFC 5280 section 4.2.1.6). None makes an authority that serves nothing itself. */
  readonly hosts: readonly string[];
  /** Default: an hour ago. */
  readonly notBefore?: Date;
  /** Default: in a day. */
  readonly notAfter?: Date;
  /** Who signs it. Left out, it signs itself, and may sign others. */
  readonly issuer?: TestCertificate;
}

/** Makes an X.509 certificate (RFC 5280) with an EC P-256 key: what node:crypto can read but not write. */
export function createCertificate(options: CertificateOptions): TestCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const serial = randomBytes(16);
  // Names that differ keep chains apart that would look self-signed otherwise.
  const name = commonName(`svid-exchange test ${serial.toString('hex')}`);
  const signer = options.issuer;
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  const tbs = sequence(
    explicit(0, integer(Buffer.of(2))),
    integer(serial),
    algorithm,
    signer === undefined ? name : commonName(commonNameOf(signer)),
    sequence(
      time(options.notBefore ?? new Date(Date.now() - 3600_000)),
      time(options.notAfter ?? new Date(Date.now() + 86_400_000)),
    ),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(...extensions(options.hosts, signer === undefined))),
  );
  const signingKey: KeyObject = signer === undefined ? privateKey : createPrivateKey(signer.key);
  const der = sequence(tbs, algorithm, bitString(sign('sha256', tbs, signingKey)));
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function extensions(hosts: readonly string[], isAuthority: boolean): Buffer[] {
  const names = hosts.map((host) =>
    isIP(host) === 0 ? der(0x82, Buffer.from(host, 'latin1')) : der(0x87, addressBytes(host)),
  );
  return [
    // basicConstraints, critical
    extension('2.5.29.19', true, sequence(...(isAuthority ? [der(0x01, Buffer.of(0xff))] : []))),
    ...(names.length === 0 ? [] : [extension('2.5.29.17', false, sequence(...names))]),
  ];
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [der(0x01, Buffer.of(0xff))] : []), der(0x04, value));
}

function commonNameOf({ cert }: TestCertificate): string {
  const name = /^CN=(.*)$/m.exec(new X509Certificate(cert).subject)?.[1];
  if (name === undefined) throw new Error('the issuer has no common name');
  return name;
}

function commonName(text: string): Buffer {
  return sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(text)))));
}

/** RFC 5280 section 4.1.2.5: two digits for the year up to 2049, four from 2050 on. */
function time(date: Date): Buffer {
  const digits = `${date.toISOString().replace(/[-:T]|\..*$/g, '')}Z`;
  return date.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits));
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = address.split('::');
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)));
  const [first, last] = [groups(head), groups(tail ?? '')];
  const all = [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function explicit(tag: number, content: Buffer): Buffer {
  return der(0xa0 + tag, content);
}

/** A number that is not negative, whatever its first bit. */
function integer(bytes: Buffer): Buffer {
  return der(0x02, Buffer.concat([Buffer.of(0x01), bytes]).subarray(bytes.length === 1 ? 1 : 0));
}

function bitString(bytes: Buffer): Buffer {
  return der(0x03, Buffer.concat([Buffer.of(0), bytes]));
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const base128 = (value: number): number[] => {
    const digits = [value & 0x7f];
    for (let high = value >> 7; high > 0; high >>= 7) digits.unshift((high & 0x7f) | 0x80);
    return digits;
  };
  return der(0x06, Buffer.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** Tag, length and content (X.690 section 8.1). */
function der(tag: number, content: Buffer): Buffer {
  if (content.length < 128) return Buffer.concat([Buffer.of(tag, content.length), content]);
  const length = Buffer.from(content.length.toString(16).padStart(content.length < 256 ? 2 : 4, '0'), 'hex');
  return Buffer.concat([Buffer.of(tag, 0x80 + length.length), length, content]);
}
