import type { KeyObject } from 'node:crypto';

/**
 * RFC 7518 sections 3.3 and 3.5: RSA keys of at least 2048 bits. (go-spiffe takes what Go's crypto/rsa takes: 1024 and more.)
 * OpenSSL verifies with none above 16384.
 */
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 16_384;

/** The largest public exponent that Go's crypto/rsa, and so SPIRE, takes. */
const MAX_RSA_EXPONENT = 2n ** 31n - 1n;

/** RFC 8017 section 3.1: the public exponent is odd and at least 3. With 1 anybody could make signatures. */
export function isUnsoundRsa(key: KeyObject): boolean {
  if (key.asymmetricKeyType !== 'rsa') return false;
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  const soundSize = modulusLength >= MIN_RSA_BITS && modulusLength <= MAX_RSA_BITS;
  const soundExponent = publicExponent >= 3n && publicExponent <= MAX_RSA_EXPONENT && publicExponent % 2n === 1n;
  return !soundSize || !soundExponent;
}
