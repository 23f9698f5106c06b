import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

export type TestAlgorithm = 'ES256' | 'ES384' | 'ES512' | 'RS256' | 'PS256' | 'EdDSA';

/** A key pair of a test's own. */
export interface TestKey {
  readonly alg: TestAlgorithm;
  readonly kid: string;
  /** `kid`, and the members that make up the public key; no `use`, no `alg`, as SPIRE sends it. */
  readonly jwk: JWK;
  /** The same with the private members, which nobody should publish. */
  readonly privateJwk: JWK;
  /** A token signed with it. */
  sign(claims: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): Promise<string>;
}

export async function makeKey(alg: TestAlgorithm, kid: string): Promise<TestKey> {
  const pair: { publicKey: CryptoKey; privateKey: CryptoKey } = await generateKeyPair(alg, { extractable: true });
  return {
    alg,
    kid,
    jwk: { kid, ...(await exportJWK(pair.publicKey)) },
    privateJwk: { kid, ...(await exportJWK(pair.privateKey)) },
    sign: (claims, header = {}) =>
      new SignJWT(claims).setProtectedHeader({ alg, kid, typ: 'JWT', ...header }).sign(pair.privateKey),
  };
}
