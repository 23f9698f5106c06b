import type { KeyObject } from 'node:crypto';
import type { JwtSvidAlgorithm } from './jwt-bundle.ts';

/** Whether this key made the signature of a token in compact serialization (RFC 7515 section 5.2). */
export async function isSignedBy(token: string, key: KeyObject, algorithm: JwtSvidAlgorithm): Promise<boolean> {
  const { compactVerify, errors } = await import('jose');
  try {
    await compactVerify(token, key, { algorithms: [algorithm] });
    return true;
  } catch (error) {
    if (error instanceof errors.JOSEError) return false;
    throw error;
  }
}
