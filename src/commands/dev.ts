import { mkdtemp, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../base/clock.ts';
import { SvidxError, toSvidxError } from '../base/errors.ts';
import { isLoopbackHost } from '../base/http-url.ts';
import { createLogger, type LogLevel } from '../base/logger.ts';
import { hostsOf, type Issuer, parseIssuer } from '../config/issuer.ts';
import { type ListenAddress, parseListenAddress } from '../config/listen-address.ts';
import { loadPolicyFolder, watchPolicies } from '../config/policy-folder.ts';
import { readNamedText } from '../config/read-file.ts';
import { tokenEndpointConfig } from '../config/token-endpoint.ts';
import { type DevTrustDomain, startDevTrustDomain } from '../dev/dev-trust-domain.ts';
import type { JwtKeyType } from '../dev/key-types.ts';
import { entriesForPolicies, parseRegistrationEntries, type RegistrationEntry } from '../dev/registration-entries.ts';
import { listenOnTcp } from '../http/listener.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import { createService, type Service } from '../service.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import { durationOption } from './duration-option.ts';
import { isReadyBefore } from './ready.ts';
import type { Terminal } from './terminal.ts';

export interface DevOptions {
  readonly listen: string;
  readonly policies?: string;
  readonly entries?: string;
  readonly trustDomain: string;
  readonly keyType: JwtKeyType;
  readonly keyTtl: string;
  readonly socket?: string;
  readonly stsListen: string;
  readonly modelListen: string;
  readonly logLevel: LogLevel;
  readonly json?: true;
}

const SAMPLE_POLICIES = fileURLToPath(new URL('../../policies', import.meta.url));

/** How many JWT-SVIDs, and how many credentials, are held in memory. */
const CACHE_SIZE = 1_000;

/**
 * `svidx dev`: the service as it is, with everything around it embedded: a SPIFFE authority with its Delegated Identity
 * socket, a local AWS STS and a local model endpoint. DEVELOPMENT ONLY: on loopback, for this user, until SIGTERM or SIGINT.
 */
export async function dev(terminal: Terminal, options: DevOptions): Promise<void> {
  const listen = loopbackAddress('--listen', options.listen);
  const stsListen = loopbackAddress('--sts-listen', options.stsListen);
  const modelListen = loopbackAddress('--model-listen', options.modelListen);
  const keyTtlMs = durationOption('--key-ttl', options.keyTtl, { min: 60, max: 30 * 86_400 });
  const trustDomain = parseTrustDomain(options.trustDomain);
  const policyFolder = resolve(options.policies ?? SAMPLE_POLICIES);
  const policies = await loadPolicyFolder(policyFolder, trustDomain);
  const fixedEntries = await loadEntries(options.entries, trustDomain);
  const logger = createLogger({ level: options.logLevel, destination: terminal.logDestination });
  logger.warn(
    { event: 'dev.starting' },
    'DEVELOPMENT ONLY: the keys of this trust domain are made and kept in this process',
  );

  const world = { clock: systemClock, random: Math.random, logger };
  // From here on: a signal during the start, which may have keys to make, must not leave the folder behind.
  const stopped = terminal.stopped();
  const folder = await mkdtemp(join(terminal.tmpdir, 'svidx-dev-'));
  const closers: (() => Promise<void>)[] = [];
  try {
    // As the service does, so that what is around it follows when somebody edits a policy. The service logs that.
    const silent = createLogger({ level: 'silent', destination: terminal.logDestination });
    const watched = await watchPolicies({ folder: policyFolder, trustDomain, clock: systemClock, logger: silent });
    closers.push(async () => watched.close());
    const listener = await listenOnTcp(listen, systemClock);
    closers.push(listener.close);
    const issuer = loopbackIssuer(listener.url);
    const trust = await startDevTrustDomain({
      ...world,
      folder,
      trustDomain,
      issuer,
      keyType: options.keyType,
      keyTtlMs,
      entries: () => fixedEntries ?? entriesForPolicies(watched.current()),
      policies: watched.current,
      stsListen,
      modelListen,
    });
    closers.push(trust.close);
    const service = await createService(
      {
        trustDomain,
        issuer,
        listen,
        hosts: hostsOf(issuer),
        tls: undefined,
        requestsPerSecond: undefined,
        trustedProxies: [],
        healthListen: undefined,
        bundle: { from: 'delegatedIdentity', socket: trust.spireSocket },
        spireSocket: trust.spireSocket,
        spireTimeoutMs: 10_000,
        brokerSocket: resolve(options.socket ?? join(folder, 'broker.sock')),
        cacheSize: CACHE_SIZE,
        policyFolder,
        stsEndpoint: trust.stsUrl,
        endpoints: { listen: { host: '127.0.0.1', port: 0 }, requestsPerSecond: 1_000 },
        tokenEndpoint: tokenEndpointConfig(issuer),
        logLevel: options.logLevel,
      },
      { ...world, listener },
    );
    closers.push(service.close);
    if (await isReadyBefore(stopped, service)) {
      terminal.print(options.json ? readyLine(issuer, service, trust) : banner(issuer, service, trust, policies));
    }
    await stopped;
  } finally {
    for (const close of closers.reverse()) await close();
    await rm(folder, { recursive: true, force: true });
  }
}

function loopbackAddress(option: string, text: string): ListenAddress {
  const address = parseListenAddress(text);
  if (address === undefined || !isLoopbackHost(address.host)) {
    throw new SvidxError(
      'usage_invalid',
      `${option}: svidx dev is for development only: expected a loopback address and a port, such as 127.0.0.1:8080`,
    );
  }
  return address;
}

function parseTrustDomain(text: string): TrustDomain {
  try {
    return TrustDomain.parse(text);
  } catch (error) {
    throw new SvidxError('usage_invalid', `--trust-domain: ${toSvidxError(error).message}`);
  }
}

function loopbackIssuer(url: string): Issuer {
  const issuer = parseIssuer(url);
  if ('problem' in issuer) throw new SvidxError('internal_error', `no issuer at ${url}: ${issuer.problem}`);
  return issuer;
}

async function loadEntries(
  file: string | undefined,
  trustDomain: TrustDomain,
): Promise<readonly RegistrationEntry[] | undefined> {
  if (file === undefined) return undefined;
  const text = await readNamedText(file, 'usage_invalid', `--entries: ${file}`);
  return parseRegistrationEntries({ file, text }, trustDomain);
}

function readyLine(issuer: Issuer, service: Service, trust: DevTrustDomain): string {
  return JSON.stringify({
    ready: true,
    issuer: issuer.url,
    discovery: issuer.discoveryUrl,
    broker: service.urls.broker,
    endpoints: service.urls.endpoints,
    sts: trust.stsUrl,
    model: trust.modelUrl,
    spire: `unix:${trust.spireSocket}`,
  });
}

function banner(issuer: Issuer, service: Service, trust: DevTrustDomain, policies: PolicySet): string {
  // Of the others somebody with a shell cannot say which bytes run.
  const first = policies.components.find(({ digest, digestSelector }) => digest === undefined && !digestSelector);
  const grants = first?.grants.filter(({ injection }) => injection === undefined) ?? [];
  const tryThese =
    first === undefined
      ? []
      : [
          ...first.audiences.slice(0, 1).map((name) => `svidx token --component ${first.component} --audience ${name}`),
          ...grants.slice(0, 1).map(({ name }) => `svidx credentials ${name} --component ${first.component}`),
        ];
  return [
    'svidx dev is running. DEVELOPMENT ONLY: its keys are made and kept in this process.',
    '',
    `  issuer     ${issuer.url}`,
    `  discovery  ${issuer.discoveryUrl}`,
    `  SDKs       ${service.urls.endpoints}`,
    `  AWS STS    ${trust.stsUrl}`,
    `  model      ${trust.modelUrl}`,
    `  SPIRE      unix:${trust.spireSocket}`,
    `  components ${policies.components.map(({ component }) => component).join(', ')}`,
    '',
    'In another terminal:',
    '',
    `  export SVIDX_SOCKET=${service.urls.broker.replace(/^unix:/, '')}`,
    `  export AWS_ENDPOINT_URL_STS=${trust.stsUrl}`,
    ...tryThese.map((line) => `  ${line}`),
    '',
    'Ctrl-C ends it.',
  ].join('\n');
}
