import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/**
 * Reads a file of certificate authorities. TLS would take a file without any as no authority at all and say nothing, so they are
 * looked at here.
 * @returns the certificates as PEM, without what stands around them
 * @throws Error that says what is wrong with the file
 */
export async function readCaFile(path: string): Promise<string> {
  const certificates = (await readFile(path, 'latin1')).match(CERTIFICATE) ?? [];
  if (certificates.length === 0) throw new Error('no PEM certificate in it');
  for (const certificate of certificates) new X509Certificate(certificate);
  return certificates.join('\n');
}
