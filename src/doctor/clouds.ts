import type { Grant } from '../credentials/grant.ts';
import { JWT_SVID_ALGORITHMS, type JwtSvidAlgorithm } from '../spiffe/jwt-bundle.ts';

/** What a cloud demands of the tokens it takes. */
export interface Cloud {
  readonly name: string;
  /** The algorithms whose signatures it verifies. */
  readonly algorithms: readonly JwtSvidAlgorithm[];
  /** `jwt_key_type` of the SPIRE server, where what it signs with now does not fit. */
  readonly keyType: string;
  /** The longest `sub` it documents, in characters; `undefined` where it documents none. */
  readonly maxSubjectLength: number | undefined;
}

/** One row for each kind of grant that a policy can have. */
export const CLOUDS: Readonly<Record<Grant['kind'], Cloud>> = {
  // IAM user guide, create an OIDC identity provider: RS256 to RS512 and ES256 to ES512, neither PS nor EdDSA.
  // STS API reference, AssumeRoleWithWebIdentity, SubjectFromWebIdentityToken: 6 to 255 characters.
  aws: {
    name: 'AWS',
    algorithms: ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512'],
    keyType: 'ec-p256',
    maxSubjectLength: 255,
  },
  // Microsoft Entra, workload identity federation considerations: RS256 is what is supported; 600 characters each for
  // issuer and subject.
  azure: { name: 'Azure', algorithms: ['RS256'], keyType: 'rsa-2048', maxSubjectLength: 600 },
  // Google Cloud IAM, workload identity federation with OIDC providers. What `google.subject` is mapped to may have 127
  // bytes; the mapping may shorten it, so the subject itself has no limit.
  gcp: { name: 'Google Cloud', algorithms: ['RS256', 'ES256'], keyType: 'ec-p256', maxSubjectLength: undefined },
  // Vault API, JWT auth method, jwt_supported_algs: these by default.
  vault: { name: 'Vault', algorithms: JWT_SVID_ALGORITHMS, keyType: 'ec-p256', maxSubjectLength: undefined },
  // Servers differ; what one does not take its own error says.
  oauth: { name: 'OAuth servers', algorithms: JWT_SVID_ALGORITHMS, keyType: 'ec-p256', maxSubjectLength: undefined },
};
