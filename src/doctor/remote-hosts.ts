import { SvidxError } from '../base/errors.ts';
import { createLogger } from '../base/logger.ts';
import type { Config } from '../config/config.ts';
import type { RemoteHostsConfig } from '../config/remote-hosts.ts';
import { readTlsFiles } from '../config/tls-files.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import { startX509BundleSource } from '../remote-hosts.ts';
import { keysInTime } from './key-source.ts';
import { type Finding, failed, ok } from './walk.ts';
import type { World } from './world.ts';

/** Whether hosts on other machines can be let in: the certificate, the bundles that say who they are, what they may name. */
export async function lookAtRemoteHosts(
  config: Config,
  remoteHosts: RemoteHostsConfig,
  policies: PolicySet,
  world: World,
): Promise<Finding<undefined>> {
  const { allow, tls } = remoteHosts;
  const unreadable = await readTlsFiles(tls).then(
    ({ notAfter }) =>
      notAfter <= world.clock.now() ? new SvidxError('config_invalid', `${tls.certFile}: has expired`) : undefined,
    (error: unknown) => error,
  );
  if (unreadable !== undefined) return failed(unreadable, 'Correct "remoteHosts.tls", or the files that it names.');
  const strangers = await withoutBundle(config, remoteHosts, world);
  if ('status' in strangers) return strangers;
  if (strangers.names.length > 0) {
    return {
      status: 'fail',
      saw: `there is no X.509 bundle of ${strangers.names.join(', ')}: none of its hosts can be verified`,
      advice:
        'The SPIRE server has to federate with it, and the entry of this service to say so (-federatesWith). Else correct "remoteHosts.allow".',
      code: 'bundle_unavailable',
    };
  }
  const unknown = allow.flatMap(({ components }) => components).filter((name) => policies.get(name) === undefined);
  if (unknown.length === 0) return ok(`${allow.length} may ask, and can be verified`);
  return {
    status: 'warn',
    saw: `no policy names ${[...new Set(unknown)].join(', ')}, which hosts may name`,
    advice: 'Correct "remoteHosts.allow", or add the policy.',
    value: undefined,
  };
}

/** The trust domains of allowed hosts of which nothing comes from the agent; or why nothing comes at all. */
async function withoutBundle(
  config: Config,
  { allow }: RemoteHostsConfig,
  world: World,
): Promise<{ readonly names: readonly string[] } | Finding<never>> {
  // What it has to log it has to say as its health, too.
  const logger = createLogger({ level: 'silent', destination: { write: () => {} } });
  const source = await startX509BundleSource(config, { clock: world.clock, random: world.random, logger });
  try {
    if ((await keysInTime(source, config, world)) === undefined) {
      const { reason, code = 'bundle_unavailable' } = source.health();
      const advice = 'See the log of the agent, and "spire-server bundle show".';
      return { status: 'fail', saw: `the agent sends no X.509 authorities: ${reason}`, advice, code };
    }
    const domains = allow.map(({ spiffeId }) => spiffeId.trustDomain);
    const missing = domains.filter((domain) => !source.get(domain)?.authorities.length);
    return { names: [...new Set(missing.map(({ name }) => name))] };
  } finally {
    source.close();
  }
}
