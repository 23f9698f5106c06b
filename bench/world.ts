import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/base/clock.ts';
import { createLogger } from '../src/base/logger.ts';
import type { Config } from '../src/config/config.ts';
import { hostsOf, parseIssuer } from '../src/config/issuer.ts';
import { loadPolicyFolder } from '../src/config/policy-folder.ts';
import { type DevTrustDomain, startDevTrustDomain } from '../src/dev/dev-trust-domain.ts';
import { entriesForPolicies } from '../src/dev/registration-entries.ts';
import { listenOnTcp } from '../src/http/listener.ts';
import { createService, type Service } from '../src/service.ts';
import { TrustDomain } from '../src/spiffe/trust-domain.ts';

/** The service and everything around it, with log lines written (as in production) but to nowhere. */
export interface BenchWorld {
  readonly service: Service;
  readonly trust: DevTrustDomain;
  readonly config: Config;
  close(): Promise<void>;
}

/** @param components how many components there are, named `c0`, `c1` and so on, each with a grant `models` */
export async function startBenchWorld(components: number): Promise<BenchWorld> {
  const logger = createLogger({ level: 'info', destination: { write: () => {} } });
  const folder = await mkdtemp(join(tmpdir(), 'svidx-bench-'));
  const policyFolder = join(folder, 'policies');
  const trustFolder = join(folder, 'trust');
  await mkdir(policyFolder);
  await mkdir(trustFolder, { mode: 0o700 });
  for (let index = 0; index < components; index += 1) {
    await writeFile(join(policyFolder, `c${index}.yaml`), policyText(index));
  }
  const trustDomain = TrustDomain.parse('example.org');
  const policies = await loadPolicyFolder(policyFolder, trustDomain);
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, systemClock);
  const issuer = parseIssuer(listener.url);
  if ('problem' in issuer) throw new Error(issuer.problem);
  const world = { clock: systemClock, random: Math.random, logger };
  const trust = await startDevTrustDomain({
    ...world,
    folder: trustFolder,
    trustDomain,
    issuer,
    keyType: 'ec-p256',
    keyTtlMs: 24 * 3600_000,
    entries: () => entriesForPolicies(policies),
    policies: () => policies,
  });
  const config: Config = {
    trustDomain,
    issuer,
    listen: { host: '127.0.0.1', port: 0 },
    hosts: hostsOf(issuer),
    tls: undefined,
    // High enough never to be met, so that what it costs to count is measured.
    requestsPerSecond: 1_000_000,
    trustedProxies: [],
    healthListen: undefined,
    bundle: { from: 'delegatedIdentity', socket: trust.spireSocket },
    spireSocket: trust.spireSocket,
    spireTimeoutMs: 10_000,
    brokerSocket: join(folder, 'broker.sock'),
    cacheSize: 10_000,
    policyFolder,
    stsEndpoint: trust.stsUrl,
    endpoints: { listen: { host: '127.0.0.1', port: 0 }, requestsPerSecond: 1_000_000 },
    logLevel: 'info',
  };
  const service = await createService(config, { ...world, listener });
  await service.ready();
  return {
    service,
    trust,
    config,
    async close() {
      await service.close();
      await trust.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function policyText(index: number): string {
  return [
    `component: c${index}`,
    `spiffeId: spiffe://example.org/bench/c${index}`,
    `selectors: [wasmcloud:component:c${index}]`,
    'wasi: [clocks, random, stdio]',
    'audiences: [sts.amazonaws.com]',
    'config: { GREETING: hello }',
    'egress: [https://sts.us-east-1.amazonaws.com]',
    'grants:',
    '  models:',
    '    aws: { roleArn: arn:aws:iam::111122223333:role/models, region: us-east-1 }',
  ].join('\n');
}
