import type { Config } from '../config/config.ts';
import { isNoIdentityIssued } from '../identity/delegated-identity/status.ts';
import { JwtBundle } from '../spiffe/jwt-bundle.ts';
import type { FirstBundles } from './first-bundles.ts';
import { AGENT_ID_NOTE, createEntryCommand, suggestedDelegateId } from './spire-commands.ts';
import { type Finding, failed, ok } from './walk.ts';

type Bundles = Readonly<Record<string, Uint8Array>>;

/** Whether the agent accepts this process as a delegate. Two things can be missing, and SPIRE's answer says which. */
export function judgeDelegate(answer: FirstBundles, { trustDomain }: Config, uid: number): Finding<Bundles> {
  if ('bundles' in answer) return ok('the agent accepts this process as a delegate', answer.bundles);
  const delegateId = suggestedDelegateId(trustDomain);
  const listing = `    authorized_delegates = ["${delegateId}"]`;
  if (isNoIdentityIssued(answer.error)) {
    return {
      status: 'fail',
      saw: `the agent has no identity for this process (uid ${uid}): no registration entry is for it`,
      advice: [
        'Register it, as the user that runs the service (this was asked as the user that runs svidx doctor):',
        createEntryCommand(delegateId, [{ type: 'unix', value: `uid:${uid}` }]),
        AGENT_ID_NOTE,
        "The agent's configuration then needs the same SPIFFE ID, in agent { }:",
        listing,
      ].join('\n'),
      code: 'identity_delegate_unauthorized',
    };
  }
  return {
    status: 'fail',
    saw: `this process (uid ${uid}) has an identity, but it is not among the agent's authorized delegates`,
    advice: [
      "The agent's configuration needs the SPIFFE ID of its entry, in agent { }, and the agent a restart:",
      listing,
      `Which one it has: "spire-server entry show -selector unix:uid:${uid}".`,
    ].join('\n'),
    code: 'identity_delegate_unauthorized',
  };
}

/** Whether the agent's first message has keys of the configured trust domain. */
export function judgeBundle(bundles: Bundles, { trustDomain }: Config): Finding<JwtBundle> {
  const names = Object.keys(bundles).map((key) => key.replace(/^spiffe:\/\//, ''));
  const jwkSet = bundles[trustDomain.id] ?? bundles[trustDomain.name];
  if (jwkSet === undefined) {
    const seen = names.length === 0 ? 'none at all' : `those of ${names.join(', ')}`;
    return bad(
      `the agent sent no bundle of ${trustDomain.name}, but ${seen}`,
      '"trustDomain" of this configuration must be "trust_domain" of the agent, and adminSocket the one of that agent.',
    );
  }
  try {
    const bundle = JwtBundle.parse(trustDomain, jwkSet);
    if (bundle.authorities.length === 0) {
      return bad(
        `the bundle of ${trustDomain.name} has no key that can sign a JWT-SVID (${bundle.skippedKeys} of another kind)`,
        'Does the SPIRE server sign JWT-SVIDs? See "spire-server bundle show -format spiffe" and its log.',
      );
    }
    const keys = bundle.authorities.map(({ keyId, algorithms }) => `${keyId} (${algorithms[0]})`).join(', ');
    const others = names.filter((name) => name !== trustDomain.name);
    const federated = others.length === 0 ? '' : `; federated: ${others.join(', ')}`;
    return ok(`keys of ${trustDomain.name}: ${keys}${federated}`, bundle);
  } catch (error) {
    return failed(error, 'See the log of the agent, and "spire-server bundle show -format spiffe".');
  }
}

function bad(saw: string, advice: string): Finding<never> {
  return { status: 'fail', saw, advice, code: 'bundle_unavailable' };
}
