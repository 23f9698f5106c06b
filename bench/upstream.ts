import { systemClock } from '../src/base/clock.ts';
import { createLogger } from '../src/base/logger.ts';
import { type Broker, createBroker } from '../src/broker/broker.ts';
import { loadPolicyFolder } from '../src/config/policy-folder.ts';
import { createAwsExchanger } from '../src/exchange/aws.ts';
import type { Exchanger } from '../src/exchange/exchanger.ts';
import { createDelegatedIdentityApi } from '../src/identity/delegated-identity/api.ts';
import { createDelegatedJwtSvidSource } from '../src/identity/delegated-identity/jwt-svid-source.ts';
import type { JwtSvidSource } from '../src/identity/source.ts';
import { TrustDomain } from '../src/spiffe/trust-domain.ts';
import { startServer } from './load.ts';

/** The real clients of an embedded SPIRE agent and a local STS that run in another process. */
export async function connectUpstream() {
  const upstream = await startServer('upstream');
  const clock = systemClock;
  const policies = await loadPolicyFolder(upstream.ready['policies'] ?? '', TrustDomain.parse('example.org'));
  const policy = policies.get('c0');
  const grant = policy?.grants[0]?.grant;
  if (policy === undefined || grant === undefined) throw new Error('the benchmark has no policy');
  const api = createDelegatedIdentityApi(upstream.ready['spire'] ?? '');
  const svids: JwtSvidSource = createDelegatedJwtSvidSource({ api, clock, timeoutMs: 10_000 });
  const exchanger: Exchanger = createAwsExchanger({ clock, random: Math.random, endpoint: upstream.ready['sts'] });
  const logger = createLogger({ level: 'info', destination: { write: () => {} } });
  return {
    policy,
    grant,
    svids,
    exchanger,
    /** A broker with nothing in its cache. */
    newBroker: (sources: { svids: JwtSvidSource; exchanger: Exchanger }): Broker =>
      createBroker({ policies: () => policies, ...sources, clock, random: Math.random, logger, cacheSize: 100 }),
    async close(): Promise<void> {
      api.close();
      await upstream.stop();
    },
  };
}
