import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import { basicConstraints, extendedKeyUsage, keyUsage, subjectAltName } from './certificates/extensions.ts';
import { signCertificate, toPem } from './certificates/sign-certificate.ts';

export interface CertificateAuthorityOptions {
  readonly clock: Clock;
  readonly trustDomain: TrustDomain;
}

/** An X509-SVID as a workload holds it, in PEM. */
export interface MintedX509Svid {
  readonly cert: string;
  readonly key: string;
}

/** A SPIFFE authority for X509-SVIDs, with keys that are made here and live in memory. */
export interface CertificateAuthority {
  /** @param ttl seconds */
  mint(request: { readonly spiffeId: SpiffeId; readonly ttl: number }): MintedX509Svid;
  /** The authorities as SPIRE's streams carry them: certificates in DER, one after the other. */
  bundle(): Buffer;
  /** Calls `listener` after each change of the bundle. Returns the function that ends the subscription. */
  onChange(listener: () => void): () => void;
  /** Makes a new authority, which signs from now on. The old ones stay in the bundle. */
  rotate(): void;
  /** Takes the old ones out of the bundle. */
  revoke(): void;
}

interface Signer {
  readonly subject: string;
  readonly privateKey: KeyObject;
  readonly der: Buffer;
}

/** Longer than any development session. */
const CA_TTL_MS = 30 * 86_400_000;

/** As SPIRE's server: clocks that are somewhat behind take what was just signed, too. */
const BACKDATE_MS = 10_000;

export function createCertificateAuthority({ clock, trustDomain }: CertificateAuthorityOptions): CertificateAuthority {
  const listeners = new Set<() => void>();
  let active = createSigner();
  let old: readonly Signer[] = [];

  function createSigner(): Signer {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const subject = `svidx dev ${randomBytes(8).toString('hex')}`;
    const extensions = [
      basicConstraints(true),
      keyUsage('keyCertSign', 'cRLSign'),
      subjectAltName([['uri', Buffer.from(trustDomain.id)]]),
    ];
    const content = { subject, publicKey, ...validity(CA_TTL_MS), extensions };
    return { subject, privateKey, der: signCertificate(content, { subject, privateKey }) };
  }

  function validity(ttlMs: number): { notBefore: Date; notAfter: Date } {
    return { notBefore: new Date(clock.now() - BACKDATE_MS), notAfter: new Date(clock.now() + ttlMs) };
  }

  function changed(): void {
    for (const listener of listeners) listener();
  }

  return {
    mint({ spiffeId, ttl }) {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const extensions = [
        basicConstraints(false),
        keyUsage('digitalSignature', 'keyEncipherment'),
        extendedKeyUsage('serverAuth', 'clientAuth'),
        subjectAltName([['uri', Buffer.from(spiffeId.toString())]]),
      ];
      const der = signCertificate({ subject: 'svidx dev', publicKey, ...validity(ttl * 1000), extensions }, active);
      return { cert: toPem(der), key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
    },
    bundle: () => Buffer.concat([...old, active].map((signer) => signer.der)),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    rotate() {
      old = [...old, active];
      active = createSigner();
      changed();
    },
    revoke() {
      old = [];
      changed();
    },
  };
}
