import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import type { Config } from '../../src/config/config.ts';
import { parseIssuer } from '../../src/config/issuer.ts';
import { loadPolicyFolder } from '../../src/config/policy-folder.ts';
import { tokenEndpointConfig } from '../../src/config/token-endpoint.ts';
import { type DevTrustDomain, startDevTrustDomain } from '../../src/dev/dev-trust-domain.ts';
import type { JwtKeyType } from '../../src/dev/key-types.ts';
import { entriesForPolicies, type RegistrationEntry } from '../../src/dev/registration-entries.ts';
import { listenOnTcp } from '../../src/http/listener.ts';
import { createService, type Service } from '../../src/service.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';
import { loopbackListeners } from './listeners.ts';
import { tempFolder } from './temp.ts';

export const API_POLICY = `
component: api
spiffeId: spiffe://example.org/team/api
selectors: [wasmcloud:component:api]
wasi: [clocks, random, stdio]
audiences: [sts.amazonaws.com, other.example.org]
grants:
  models:
    aws: { roleArn: arn:aws:iam::111122223333:role/models, region: us-east-1, duration: 15m }
`;

export const LEDGER_POLICY = `
component: ledger
spiffeId: spiffe://example.org/team/ledger
selectors: [wasmcloud:component:ledger]
wasi: [clocks, random, stdio]
audiences: [vault.example.org]
`;

/** The whole service with the embedded trust domain and the local STS around it, in this process. */
export interface World {
  readonly service: Service;
  readonly trust: DevTrustDomain;
  readonly config: Config;
  readonly log: MemoryLog;
  readonly policyFolder: string;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly policies?: Readonly<Record<string, string>>;
  /** Instead of the entries that the policies need. */
  readonly entries?: readonly RegistrationEntry[];
  readonly keyType?: JwtKeyType;
  readonly clock?: Clock;
  /** There is nothing that SDKs can ask. */
  readonly withoutEndpoints?: true;
  /** What comes behind the host in the issuer's URL; nothing where nothing else is said. */
  readonly issuerPath?: string;
  /** Opens the token endpoint, for subject tokens of the issuer's own audience or of this one. */
  readonly tokenEndpoint?: { readonly audience?: string };
  /** Changes to the service's configuration. */
  readonly config?: Partial<Config>;
}

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const clock = options.clock ?? systemClock;
  const log = createMemoryLog();
  const folder = await tempFolder();
  const policyFolder = join(folder, 'policies');
  await mkdir(policyFolder);
  const files = options.policies ?? { 'api.yaml': API_POLICY, 'ledger.yaml': LEDGER_POLICY };
  for (const [name, text] of Object.entries(files)) await writeFile(join(policyFolder, name), text);

  const trustDomain = TrustDomain.parse('example.org');
  const policies = await loadPolicyFolder(policyFolder, trustDomain);
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, clock);
  const issuer = parseIssuer(listener.url + (options.issuerPath ?? ''));
  if ('problem' in issuer) throw new Error(issuer.problem);
  const trustFolder = join(folder, 'trust');
  await mkdir(trustFolder, { mode: 0o700 });
  const trust = await startDevTrustDomain({
    clock,
    logger: log.logger,
    folder: trustFolder,
    trustDomain,
    issuer,
    keyType: options.keyType ?? 'ec-p256',
    keyTtlMs: 24 * 3600_000,
    entries: () => options.entries ?? entriesForPolicies(policies),
    policies: () => policies,
  });
  const config: Config = {
    trustDomain,
    issuer,
    ...loopbackListeners(issuer),
    bundle: { from: 'delegatedIdentity', socket: trust.spireSocket },
    spireSocket: trust.spireSocket,
    spireTimeoutMs: 5_000,
    brokerSocket: join(folder, 'broker.sock'),
    cacheSize: 100,
    policyFolder,
    stsEndpoint: trust.stsUrl,
    ...(options.withoutEndpoints
      ? {}
      : { endpoints: { listen: { host: '127.0.0.1', port: 0 }, requestsPerSecond: 1_000 } }),
    logLevel: 'trace',
    tokenEndpoint: options.tokenEndpoint && tokenEndpointConfig(issuer, options.tokenEndpoint.audience),
    ...options.config,
  };
  const service = await createService(config, { clock, random: () => 0.5, logger: log.logger, listener });
  const world: World = {
    service,
    trust,
    config,
    log,
    policyFolder,
    async close() {
      await service.close();
      await trust.close();
    },
  };
  onTestFinished(world.close);
  await service.ready();
  return world;
}
