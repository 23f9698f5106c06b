import type { Grant } from '../credentials/grant.ts';
import type { JwtSvidAlgorithm } from '../spiffe/jwt-bundle.ts';

/** What a cloud demands of the tokens it takes. */
export interface Cloud {
  readonly name: string;
  /** The algorithms whose signatures it verifies. */
  readonly algorithms: readonly JwtSvidAlgorithm[];
  /** `jwt_key_type` of the SPIRE server, where what it signs with now does not fit. */
  readonly keyType: string;
  /** The longest `sub` it documents, in characters. */
  readonly maxSubjectLength: number;
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
};
