import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { basicConstraints, subjectAltName } from '../../src/dev/certificates/extensions.ts';
import { type SignatureAlgorithm, signCertificate, toPem } from '../../src/dev/certificates/sign-certificate.ts';

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
  /** Its common name, instead of one that nobody else has. */
  readonly subject?: string;
  /** Instead of basic constraints and the hosts. */
  readonly extensions?: readonly Buffer[];
  /** Instead of a new one on the curve P-256. */
  readonly keys?: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  /** Instead of ECDSA with SHA-256. */
  readonly algorithm?: SignatureAlgorithm;
}

/** Makes an X.509 certificate, with an EC P-256 key where nothing else is said. */
export function createCertificate(options: CertificateOptions): TestCertificate {
  const { issuer, algorithm } = options;
  const { publicKey, privateKey } = options.keys ?? generateKeyPairSync('ec', { namedCurve: 'P-256' });
  // Names that differ keep chains apart that would look self-signed otherwise.
  const subject = options.subject ?? `svid-exchange test ${randomBytes(16).toString('hex')}`;
  const content = {
    subject,
    publicKey,
    notBefore: options.notBefore ?? new Date(Date.now() - 3600_000),
    notAfter: options.notAfter ?? new Date(Date.now() + 86_400_000),
    extensions: options.extensions ?? defaultExtensions(options.hosts, issuer === undefined),
  };
  const signer =
    issuer === undefined
      ? { subject, privateKey }
      : { subject: commonNameOf(issuer), privateKey: createPrivateKey(issuer.key) };
  return {
    cert: toPem(signCertificate(content, { ...signer, ...(algorithm && { algorithm }) })),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function defaultExtensions(hosts: readonly string[], isAuthority: boolean): Buffer[] {
  const names = hosts.map((host) =>
    isIP(host) === 0 ? (['dns', Buffer.from(host, 'latin1')] as const) : (['ip', addressBytes(host)] as const),
  );
  return [basicConstraints(isAuthority), ...(names.length === 0 ? [] : [subjectAltName(names)])];
}

function commonNameOf({ cert }: TestCertificate): string {
  const name = /^CN=(.*)$/m.exec(new X509Certificate(cert).subject)?.[1];
  if (name === undefined) throw new Error('the issuer has no common name');
  return name;
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = address.split('::');
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)));
  const [first, last] = [groups(head), groups(tail ?? '')];
  const all = [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}
