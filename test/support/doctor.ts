import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { type Config, loadConfig } from '../../src/config/config.ts';
import { loadPolicyFolder } from '../../src/config/policy-folder.ts';
import type { JwtKeyType } from '../../src/dev/key-types.ts';
import { entriesForPolicies } from '../../src/dev/registration-entries.ts';
import { type Examination, examine } from '../../src/doctor/doctor.ts';
import type { Check } from '../../src/doctor/walk.ts';
import type { World } from '../../src/doctor/world.ts';
import { createBrokerApp } from '../../src/http/broker-app.ts';
import { createFakeBroker } from '../fakes/broker.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { EXAMPLE_TRUST_DOMAIN, type FakeSpire, startFakeSpire } from '../fakes/trust-domain.ts';
import type { TestCertificate } from './certificates.ts';
import { rolesFor, startLocalSts } from './local-sts.ts';
import { serveOnPrivateSocket } from './private-socket.ts';
import { expectNoSecrets } from './secrets.ts';
import { startTamperingIssuer, type TamperingIssuer } from './tampering-issuer.ts';
import { tempFolder } from './temp.ts';
import { API_POLICY, LEDGER_POLICY } from './world.ts';

/** The keys of the configuration file that tests change. */
export interface ChainConfig {
  readonly trustDomain: string;
  readonly issuer: string;
  readonly adminSocket: string;
  readonly brokerSocket: string;
  readonly stsEndpoint: string | undefined;
  /** How long the agent may take. */
  readonly timeout?: string;
}

/** All that a service is in the middle of, everything good: what a test breaks, the doctor must find. */
export interface Chain {
  readonly folder: string;
  readonly configFile: string;
  readonly config: ChainConfig;
  readonly spire: FakeSpire;
  readonly issuer: TamperingIssuer;
  /** Every token that was issued. */
  readonly tokens: string[];
  /** Writes the configuration file anew, with these changes. */
  configure(changes: Partial<ChainConfig>): Promise<void>;
  writePolicy(name: string, text: string): Promise<void>;
  /** Gives each component of the policies an entry. */
  register(): Promise<void>;
  /** What the doctor says, which is searched for tokens. */
  examine(question?: Partial<Examination>, world?: Partial<World>): Promise<Check[]>;
}

/** Long enough for what answers, short enough to wait for what does not. Milliseconds. */
export const LIMIT_MS = 2_000;

export async function startChain(options: { keyType?: JwtKeyType; tls?: TestCertificate } = {}): Promise<Chain> {
  const folder = await tempFolder();
  const policyFolder = join(folder, 'policies');
  const configFile = join(folder, 'svidx.yaml');
  await mkdir(policyFolder);
  const issuer = await startTamperingIssuer(options.tls);
  const { url } = issuer.issuer;
  const spire = await startFakeSpire({ keyType: options.keyType ?? 'ec-p256', jwtIssuer: url });
  issuer.jwkSet = spire.authority.jwkSet();
  const tokens: string[] = [];
  const { mint } = spire.authority;
  Object.assign(spire.authority, {
    mint: async (request: Parameters<typeof mint>[0]) => {
      const minted = await mint(request);
      tokens.push(minted.token);
      return minted;
    },
  });
  const service = await serveOnPrivateSocket(
    createBrokerApp({ broker: createFakeBroker(), logger: createMemoryLog().logger }),
  );
  const sts = await startLocalSts({ issuer: url, roles: await rolesFor(url, API_POLICY) });

  let config: ChainConfig = {
    trustDomain: 'example.org',
    issuer: url,
    adminSocket: spire.socketPath,
    brokerSocket: service.path,
    stsEndpoint: sts.url,
  };
  const chain: Chain = {
    folder,
    configFile,
    get config() {
      return config;
    },
    spire,
    issuer,
    tokens,
    async configure(changes) {
      config = { ...config, ...changes };
      const sts = config.stsEndpoint === undefined ? '' : `aws: { stsEndpoint: "${config.stsEndpoint}" }\n`;
      await writeFile(
        configFile,
        `trustDomain: ${config.trustDomain}\nissuer: ${config.issuer}\n` +
          `spire: { adminSocket: "unix://${config.adminSocket}", timeout: ${config.timeout ?? '5s'} }\nbroker: { socket: "${config.brokerSocket}" }\n${sts}`,
      );
    },
    writePolicy: (name, text) => writeFile(join(policyFolder, name), text),
    async register() {
      spire.entries = entriesForPolicies(await loadPolicyFolder(policyFolder, EXAMPLE_TRUST_DOMAIN));
    },
    async examine(question = {}, world = {}) {
      const checks: Check[] = [];
      await examine(
        { config: configFile, ...question },
        { clock: systemClock, random: () => 0.5, env: {}, uid: 1234, limitMs: LIMIT_MS, ...world },
        (check) => checks.push(check),
      );
      expectNoSecrets(JSON.stringify(checks), tokens);
      return checks;
    },
  };
  await chain.configure({});
  await chain.writePolicy('api.yaml', API_POLICY);
  await chain.writePolicy('ledger.yaml', LEDGER_POLICY);
  await chain.register();
  return chain;
}

/** What a broken set-up must come to: the step that fails first, and parts of what it says. */
export interface Expected {
  readonly step: string;
  readonly saw: RegExp | string;
  readonly advice: RegExp | string;
  readonly code?: string;
  /** Steps that fail as well, for the same reason, after the first. */
  readonly also?: readonly string[];
}

/** Nothing fails but the step that is expected, and what cannot be right without it; each that failed says what to do. */
export function expectDiagnosis(checks: readonly Check[], { step, saw, advice, code, also = [] }: Expected): void {
  const failures = checks.filter(({ status }) => status === 'fail');
  expect(failures.map(({ name }) => name)).toEqual([step, ...also]);
  for (const { name, advice: said } of failures) expect(said, name).toMatch(/\w/);
  const [first] = failures;
  expect(first?.saw).toMatch(saw);
  expect(first?.advice).toMatch(advice);
  expect(first?.code).toBe(code);
}

export function check(checks: readonly Check[], name: string): Check {
  const found = checks.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no step ${name} among ${checks.map((other) => other.name).join(', ')}`);
  return found;
}

/** The configuration in this file, of a service that has a broker. */
export async function loadFullConfig(file: string): Promise<Config> {
  const config = await loadConfig(file, {});
  if ('brokerSocket' in config) return config;
  throw new Error('expected the configuration of a whole service');
}
