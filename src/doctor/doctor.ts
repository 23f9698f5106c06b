import type { Config, IssuerConfig } from '../config/config.ts';
import { createDelegatedIdentityApi, type DelegatedIdentityApi } from '../identity/delegated-identity/api.ts';
import { createDelegatedJwtSvidSource } from '../identity/delegated-identity/jwt-svid-source.ts';
import type { JwtSvidSource } from '../identity/source.ts';
import type { ComponentPolicy } from '../policy/policy-set.ts';
import type { JwtBundle } from '../spiffe/jwt-bundle.ts';
import { lookAtAdminSocket } from './admin-socket.ts';
import { judgeClocks } from './clocks.ts';
import { chooseGrant, readConfiguration, readPolicies } from './configuration.ts';
import { judgeBundle, judgeDelegate } from './delegate.ts';
import { type Minted, walkEntries } from './entries.ts';
import { tryExchange } from './exchange.ts';
import { lookAtHosted } from './hosted.ts';
import { lookAtIssuerAddress } from './issuer-address.ts';
import { lookAtIssuerCertificate } from './issuer-certificate.ts';
import { type Discovery, lookAtDiscovery, lookAtKeys } from './issuer-documents.ts';
import { lookAtKeySource } from './key-source.ts';
import { judgeAudiences, judgeSubjects } from './policy-limits.ts';
import { lookAtPrivateSocket } from './private-socket.ts';
import { judgePublishedKeys, judgeSigningKey } from './published-keys.ts';
import { lookAtRemoteHosts } from './remote-hosts.ts';
import { judgeIssuerClaim, judgeKeyType, judgeSignatures } from './tokens.ts';
import { after, both, type Check, createWalk, either, NOTHING, type Outcome, ok, type Walk } from './walk.ts';
import type { World } from './world.ts';

export interface Examination {
  /** The path of the configuration file. */
  readonly config: string;
  /** Only this component is asked for, and its grant is exchanged. */
  readonly component?: string | undefined;
  /** Which of its grants; needed only where it has several. */
  readonly grant?: string | undefined;
}

/**
 * Walks the whole chain, in the order in which things must be right: configuration, SPIRE, tokens, service, issuer,
 * exchange. Reads and asks only; changes nothing.
 * @param report called once for each step, as soon as it is done
 */
export async function examine(examination: Examination, world: World, report: (check: Check) => void): Promise<void> {
  const walk = createWalk(report);
  const issuer = await walk.step('configuration', NOTHING, () => readConfiguration(examination.config, world.env));
  const config = withBroker(issuer);
  const api = after(config, ({ spireSocket }) => createDelegatedIdentityApi(spireSocket));
  try {
    await walkChain(examination, { walk, issuer, config, api, world });
  } finally {
    if (api.done) api.value.close();
  }
}

/** The configuration of a whole service; there is none where an issuer runs alone. */
function withBroker(issuer: Outcome<Config | IssuerConfig>): Outcome<Config> {
  if (!issuer.done) return issuer;
  if ('brokerSocket' in issuer.value) return { done: true, value: issuer.value };
  return { done: false, because: 'configuration', absent: 'not there: this is the configuration of an issuer alone' };
}

interface Chain {
  readonly walk: Walk;
  readonly issuer: Outcome<Config | IssuerConfig>;
  readonly config: Outcome<Config>;
  readonly api: Outcome<DelegatedIdentityApi>;
  readonly world: World;
}

async function walkChain({ component, grant }: Examination, chain: Chain): Promise<void> {
  const { step } = chain.walk;
  const { config, world } = chain;
  const policies = await step('policies', config, readPolicies);
  const host = config.done ? config.value.host : undefined;
  if (host !== undefined) await step('hosted', policies, (set) => lookAtHosted(host, set));
  const chosen = await (component === undefined
    ? undefined
    : step('component', policies, (set) => chooseGrant(set, component, grant)));
  const components: Outcome<readonly ComponentPolicy[]> =
    chosen === undefined ? after(policies, (set) => set.components) : after(chosen, ({ policy }) => [policy]);

  const { bundle, minted } = await walkSpire(chain, components);
  await step('issuer-claim', both(minted, config), ([tokens, its]) => judgeIssuerClaim(tokens, its));
  await step('signature', both(minted, bundle), ([tokens, its]) => judgeSignatures(tokens, its));
  await step('key-type', minted, judgeKeyType);
  await step('subjects', components, judgeSubjects);
  await step('audiences', components, judgeAudiences);
  await step('private-socket', config, (its) => lookAtPrivateSocket(its, world));
  const remoteHosts = config.done ? config.value.remoteHosts : undefined;
  if (remoteHosts !== undefined) {
    await step('remote-hosts', both(both(config, bundle), policies), ([[its], set]) =>
      lookAtRemoteHosts(its, remoteHosts, set, world),
    );
  }
  const discovery = await walkIssuer(chain, await walkKeySource(chain, bundle), minted);
  await step('clocks', either(minted, discovery), ([tokens = [], document]) =>
    judgeClocks(tokens, document?.clockAheadMs, world.clock.now()),
  );

  if (chosen === undefined || (chosen.done && chosen.value.granted === undefined)) return;
  // As the service itself does: by this machine's clock.
  const svids = after(both(config, chain.api), ([its, api]) => svidSource(its, api, world));
  await step(
    'exchange',
    both(both(config, policies), both(both(chosen, minted), svids)),
    ([[its, set], [[{ policy, granted }], source]]) =>
      granted === undefined
        ? ok('nothing to exchange')
        : tryExchange({ config: its, policies: set, policy, granted, svids: source, world }),
  );
}

/** From the admin socket to a token for each component. */
async function walkSpire(
  { walk, config, api, world }: Chain,
  components: Outcome<readonly ComponentPolicy[]>,
): Promise<{ bundle: Outcome<JwtBundle>; minted: Outcome<readonly Minted[]> }> {
  const { step } = walk;
  const answer = await step('admin-socket', both(config, api), ([its, agent]) => lookAtAdminSocket(its, agent, world));
  const bundles = await step('delegate', both(answer, config), ([said, its]) => judgeDelegate(said, its, world.uid));
  const bundle = await step('bundle', both(bundles, config), ([sent, its]) => judgeBundle(sent, its));
  const svids = after(both(bundle, both(config, api)), ([, [its, agent]]) =>
    // A token that has expired, or is not valid yet, is for the clock step to judge.
    svidSource(its, agent, world, { anyTime: true }),
  );
  const minted = await walkEntries(walk, both(components, svids));
  return { bundle, minted };
}

/** The keys that the issuer is to publish: those of the admin socket, or of what the configuration names instead. */
async function walkKeySource(
  { walk: { step }, issuer, world }: Chain,
  bundle: Outcome<JwtBundle>,
): Promise<Outcome<JwtBundle>> {
  if (!issuer.done || issuer.value.bundle.from === 'delegatedIdentity') return bundle;
  return step('key-source', issuer, (its) => lookAtKeySource(its, world));
}

/** The issuer as a cloud sees it. */
async function walkIssuer(
  { walk: { step }, issuer: config, world }: Chain,
  bundle: Outcome<JwtBundle>,
  minted: Outcome<readonly Minted[]>,
): Promise<Outcome<Discovery>> {
  const address = await step('issuer-address', config, (its) => lookAtIssuerAddress(its, world));
  const certificate = await step('issuer-certificate', both(config, address), ([its]) =>
    lookAtIssuerCertificate(its, world),
  );
  const discovery = await step('issuer-discovery', both(config, certificate), ([its]) => lookAtDiscovery(its, world));
  const keys = await step('issuer-keys', both(discovery, config), ([document, its]) =>
    lookAtKeys(document, its, world),
  );
  await step('signing-key', both(both(keys, discovery), minted), ([[published, document], tokens]) =>
    judgeSigningKey(tokens, published, document),
  );
  await step('published-keys', both(keys, bundle), ([published, its]) => judgePublishedKeys(its, published));
  return discovery;
}

function svidSource(
  config: Config,
  api: DelegatedIdentityApi,
  { clock, limitMs }: World,
  options: { readonly anyTime?: true } = {},
): JwtSvidSource {
  const timeoutMs = Math.min(config.spireTimeoutMs, limitMs);
  return createDelegatedJwtSvidSource({ api, clock, timeoutMs, ...options });
}
