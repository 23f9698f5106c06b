import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../src/base/clock.ts';
import type { Config } from '../../../src/config/config.ts';
import { type Issuer, parseIssuer } from '../../../src/config/issuer.ts';
import { listenOnTcp } from '../../../src/http/listener.ts';
import { createService, type Service } from '../../../src/service.ts';
import { TrustDomain } from '../../../src/spiffe/trust-domain.ts';
import { createMemoryLog, type MemoryLog } from '../../fakes/log.ts';
import { loopbackListeners } from '../../support/listeners.ts';
import { expectNoSecrets } from '../../support/secrets.ts';
import { until } from '../../support/until.ts';
import { type Spire, startSpire } from './spire.ts';

/** The longest that a change in SPIRE may take to reach us, in milliseconds. Each of its steps looks once a second here. */
export const SOON = { within: 15_000 };

/** Any audience a test may come up with: what was asked for once is held, so tests ask for new ones. */
export const AUDIENCES = Array.from({ length: 40 }, (_, n) => `audience-${n}`);

const POLICIES = {
  'api-gateway.yaml': [
    'component: api-gateway',
    'spiffeId: spiffe://example.org/spiffe-in-practice/api-gateway',
    'selectors: [wasmcloud:component:api-gateway]',
    `audiences: [${AUDIENCES}]`,
  ],
  'ledger.yaml': [
    'component: ledger',
    'spiffeId: spiffe://example.org/spiffe-in-practice/ledger',
    'selectors: [wasmcloud:component:ledger]',
    `audiences: [${AUDIENCES}]`,
  ],
};

/** Our service at a real SPIRE, in which register.sh has registered it and its two components. */
export interface SpireWorld {
  readonly spire: Spire;
  readonly service: Service;
  readonly issuer: Issuer;
  readonly log: MemoryLog;
  /** A JWT-SVID from the broker. */
  token(component: string, audience: string): Promise<string>;
  /** An audience that nobody has asked for yet. */
  newAudience(): string;
  /** Ends everything, and searches all that was logged for the tokens. */
  close(): Promise<void>;
}

/**
 * @param server settings of server.conf, beside paths, port, interval and issuer
 * @param config changes to the service's configuration
 */
export async function startSpireWorld(
  server: Readonly<Record<string, string>> = {},
  config: Partial<Config> = {},
): Promise<SpireWorld> {
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  const log = createMemoryLog();
  const tokens = new Set<string>();
  const audiences = AUDIENCES.values();

  try {
    const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, systemClock);
    closers.push(listener.close);
    const issuer = parseIssuer(listener.url);
    if ('problem' in issuer) throw new Error(issuer.problem);
    const spire = await startSpire({ server: { jwt_issuer: issuer.url, ...server } });
    closers.push(spire.close);
    const folder = join(spire.folder, 'v');
    await mkdir(folder);
    for (const [name, lines] of Object.entries(POLICIES)) await writeFile(join(folder, name), lines.join('\n'));
    const service = await createService(
      {
        trustDomain: TrustDomain.parse('example.org'),
        issuer,
        ...loopbackListeners(issuer),
        bundle: { from: 'delegatedIdentity', socket: spire.adminSocket },
        spireSocket: spire.adminSocket,
        spireTimeoutMs: 3_000,
        brokerSocket: join(folder, 'broker.sock'),
        cacheSize: 100,
        policyFolder: folder,
        stsEndpoint: undefined,
        logLevel: 'trace',
        ...config,
      },
      { clock: systemClock, random: Math.random, logger: log.logger, listener },
    );
    closers.push(service.close);
    const world: SpireWorld = {
      spire,
      service,
      issuer,
      log,
      async token(component, audience) {
        const svid = await service.broker.identity({ component }, [audience]);
        tokens.add(svid.token.reveal());
        return svid.token.reveal();
      },
      newAudience() {
        const next = audiences.next();
        if (next.done) throw new Error('all audiences are used up');
        return next.value;
      },
      async close() {
        await close();
        expectNoSecrets(log.lines, [...tokens]);
      },
    };
    await service.ready();
    await isServed(world);
    return world;
  } catch (error) {
    await close();
    throw error;
  }
}

/** The entries of register.sh reach the agent some time after its start; the last of them is the ledger's. */
async function isServed(world: SpireWorld): Promise<void> {
  const audience = world.newAudience();
  await until(
    'a first JWT-SVID',
    () => outcome(world.token('ledger', audience)),
    (seen) => seen === 'ok',
    SOON,
  );
}

/** `ok`, or the code of the error. */
export async function outcome(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return 'ok';
  } catch (error) {
    if (error instanceof Error && 'code' in error) return error.code;
    throw error;
  }
}
