/** The values of SPIRE's `jwt_key_type`. */
export const JWT_KEY_TYPE_NAMES = ['ec-p256', 'ec-p384', 'rsa-2048', 'rsa-4096'] as const;
export type JwtKeyType = (typeof JWT_KEY_TYPE_NAMES)[number];

/** The algorithm that SPIRE signs with for each type of key. */
export const JWT_KEY_TYPES: Readonly<Record<JwtKeyType, { readonly alg: string; readonly modulusLength?: number }>> = {
  'ec-p256': { alg: 'ES256' },
  'ec-p384': { alg: 'ES384' },
  'rsa-2048': { alg: 'RS256', modulusLength: 2048 },
  'rsa-4096': { alg: 'RS256', modulusLength: 4096 },
};
