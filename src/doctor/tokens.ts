import { toSvidxError } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import { type JwtBundle, jwtBundleSet } from '../spiffe/jwt-bundle.ts';
import { type JwtSvid, verifyJwtSvid } from '../spiffe/jwt-svid.ts';
import { CLOUDS } from './clouds.ts';
import type { Minted } from './entries.ts';
import { type Finding, ok } from './walk.ts';

/** Whether each token names the configured issuer, byte by byte, as clouds compare it. */
export function judgeIssuerClaim(minted: readonly Minted[], { issuer }: Config): Finding<undefined> {
  const wrong = minted.find(({ svid }) => svid.claims['iss'] !== issuer.url);
  if (wrong === undefined) return ok(`iss is ${issuer.url}`);
  const whose = `the token of ${wrong.policy.component}`;
  const setting =
    `The SPIRE server's configuration needs, in server { }, and the server a restart:\n    jwt_issuer = "${issuer.url}"\n` +
    'Tokens that the agent holds already keep the old one until half of their life is over.';
  const iss = wrong.svid.claims['iss'];
  if (iss === undefined) return { status: 'fail', saw: `${whose} has no "iss": no cloud takes it`, advice: setting };
  const found = typeof iss === 'string' ? iss : JSON.stringify(iss);
  const slash = found === `${issuer.url}/` ? '; they differ by the trailing slash alone' : '';
  return {
    status: 'fail',
    saw: `${whose} has the iss ${found}, and the configured issuer is ${issuer.url}${slash}`,
    advice: `Clouds compare the two byte by byte. Correct "issuer" of this configuration, or the server.\n${setting}`,
  };
}

/** Whether each token's signature verifies with the bundle that the agent sent. */
export async function judgeSignatures(minted: readonly Minted[], bundle: JwtBundle): Promise<Finding<undefined>> {
  for (const { svid, policy } of minted) {
    try {
      await verifySignature(svid, bundle);
    } catch (error) {
      const { code, message } = toSvidxError(error);
      const advice =
        code === 'token_key_unknown'
          ? 'After a forced rotation the bundle may lag some seconds behind: try again. Else see the log of the agent.'
          : 'Two keys share an ID, or something between here and the agent changes tokens.';
      return { status: 'fail', saw: `the token of ${policy.component}: ${message}`, advice, code };
    }
  }
  return ok('verifies with the bundle');
}

/**
 * Verifies a signature and nothing else: times are what the clock step is about.
 * @throws SvidxError `token_key_unknown` or `token_signature_invalid`
 */
export async function verifySignature(svid: JwtSvid, bundle: JwtBundle): Promise<void> {
  await verifyJwtSvid(svid.token.reveal(), {
    bundles: jwtBundleSet([bundle]),
    audience: svid.audience,
    now: 0,
    leewaySeconds: Number.POSITIVE_INFINITY,
  });
}

/** Whether the clouds that the policies name verify signatures of this kind. */
export function judgeKeyType(minted: readonly Minted[]): Finding<undefined> {
  const takers = new Set<string>();
  for (const { policy, svid } of minted) {
    for (const { grant } of policy.grants) {
      const { name, algorithms, keyType } = CLOUDS[grant.kind];
      if (!algorithms.includes(svid.algorithm)) {
        return {
          status: 'fail',
          saw: `the token of ${policy.component} is signed with ${svid.algorithm}, and ${name} takes ${algorithms.join(', ')}`,
          advice: `The SPIRE server's configuration needs, in server { }, and the server a restart:\n    jwt_key_type = "${keyType}"`,
        };
      }
      takers.add(name);
    }
  }
  const algorithms = [...new Set(minted.map(({ svid }) => svid.algorithm))].join(', ');
  const whom = takers.size === 0 ? 'no policy names a cloud' : `${[...takers].join(', ')} takes it`;
  return ok(`signed with ${algorithms}: ${whom}`);
}
