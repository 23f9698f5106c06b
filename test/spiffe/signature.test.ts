import { createSecretKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { isSignedBy } from '../../src/spiffe/signature.ts';
import { keyPair, type SignatureKind, sign } from '../support/signing-keys.ts';

const RSA = 'example.org/rsa-2048';

function token(kind: SignatureKind): string {
  const input = `${Buffer.from(JSON.stringify({ alg: kind })).toString('base64url')}.e30`;
  return `${input}.${sign(input, RSA, kind).toString('base64url')}`;
}

describe('a signature', () => {
  const { publicKey } = keyPair(RSA);

  test('is found good for the algorithm that is asked for', async () => {
    expect(await isSignedBy(token('RS256'), publicKey, 'RS256')).toBe(true);
    expect(await isSignedBy(token('PS512'), publicKey, 'PS512')).toBe(true);
  });

  test('is not, when the header tells another that the key could verify too (RFC 8725 3.1)', async () => {
    expect(await isSignedBy(token('PS256'), publicKey, 'RS256')).toBe(false);
    expect(await isSignedBy(token('RS512'), publicKey, 'RS256')).toBe(false);
  });

  test('is not, by another key', async () => {
    expect(await isSignedBy(token('RS256'), keyPair(`${RSA}-other`).publicKey, 'RS256')).toBe(false);
  });

  test('is never found good where the key cannot verify at all: that is a defect, and thrown', async () => {
    const secret = createSecretKey(Buffer.alloc(64));
    await expect(isSignedBy(token('RS256'), secret, 'RS256')).rejects.toThrow(TypeError);
  });
});
