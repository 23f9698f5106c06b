import { constants, createHmac, generateKeyPairSync, type KeyObject, sign as nodeSign } from 'node:crypto';

/** How a signature is made. `ES256-der`: ECDSA as TLS writes it, not as JWS does. `HS256`: with the public key as secret. */
export const SIGNATURE_KINDS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'ES256-der',
  'ES256K',
  'EdDSA',
  'HS256',
  'HS384',
  'HS512',
  'none',
] as const;
export type SignatureKind = (typeof SIGNATURE_KINDS)[number];

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** The kinds of keys, by how their names begin. */
const KEY_KINDS: readonly { prefix: string; kind: SignatureKind; generate: () => KeyPair }[] = [
  { prefix: 'rsa-1024', kind: 'RS256', generate: () => generateKeyPairSync('rsa', { modulusLength: 1024 }) },
  { prefix: 'rsa-2048', kind: 'RS256', generate: () => generateKeyPairSync('rsa', { modulusLength: 2048 }) },
  { prefix: 'ec-p256', kind: 'ES256', generate: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }) },
  { prefix: 'ec-p384', kind: 'ES384', generate: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }) },
  { prefix: 'ec-p521', kind: 'ES512', generate: () => generateKeyPairSync('ec', { namedCurve: 'P-521' }) },
  { prefix: 'secp256k1', kind: 'ES256K', generate: () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' }) },
  { prefix: 'ed25519', kind: 'EdDSA', generate: () => generateKeyPairSync('ed25519') },
];

/** Made on first use and kept for the file's other tests: RSA keys take a while. */
const keys = new Map<string, KeyPair>();

/** The key pair of this name: `<whose>/<kind>`, such as `example.org/ec-p256` or `example.org/ec-p256-second`. */
export function keyPair(name: string): KeyPair {
  const known = keys.get(name) ?? kindOf(name).generate();
  keys.set(name, known);
  return known;
}

export function publicJwk(name: string): Record<string, unknown> {
  return { ...keyPair(name).publicKey.export({ format: 'jwk' }) };
}

export function privateJwk(name: string): Record<string, unknown> {
  return { ...keyPair(name).privateKey.export({ format: 'jwk' }) };
}

/** The `alg` that a key of this name signs with where nothing else is said. */
export function signatureKindOf(name: string): SignatureKind {
  return kindOf(name).kind;
}

function kindOf(name: string) {
  const kind = KEY_KINDS.find(({ prefix }) => name.split('/')[1]?.startsWith(prefix));
  if (kind === undefined) throw new Error(`no such kind of key: ${name}`);
  return kind;
}

/**
 * Signs with Node's own crypto, so that what verifies is not the library that signed.
 * @param kind need not fit the key's usual `alg`, only its type
 */
export function sign(input: string, name: string, kind: SignatureKind): Buffer {
  const { privateKey, publicKey } = keyPair(name);
  const data = Buffer.from(input);
  if (kind === 'none') return Buffer.alloc(0);
  if (kind === 'EdDSA') return nodeSign(null, data, privateKey);
  const digest = `sha${/\d{3}/.exec(kind)?.[0]}`;
  if (kind.startsWith('HS')) {
    return createHmac(digest, publicKey.export({ format: 'pem', type: 'spki' }))
      .update(data)
      .digest();
  }
  if (kind.startsWith('PS')) {
    const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
    return nodeSign(digest, data, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength });
  }
  const dsaEncoding = kind === 'ES256-der' ? 'der' : 'ieee-p1363';
  return nodeSign(digest, data, { key: privateKey, dsaEncoding });
}
