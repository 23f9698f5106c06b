import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { createHosting } from '../../src/broker/hosting.ts';
import type { CompileFolder } from '../../src/component/compile-folder.ts';
import { type ComponentHost, type ComponentLimits, createComponentHost } from '../../src/component/host.ts';
import { createHostedComponent, type HostedComponent } from '../../src/component/hosted-component.ts';
import { createComponentHttp } from '../../src/http/component-http.ts';
import { COMPONENT_LIMITS, listenOnTcp } from '../../src/http/listener.ts';
import { compilePolicies } from '../../src/policy/policy-set.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { createFakeBroker } from '../fakes/broker.ts';
import { createFakeClock, type FakeClock } from '../fakes/clock.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';
import { type Arrivals, createArrivals } from './arrivals.ts';
import { NO_EGRESS } from './components.ts';
import { ask, type HttpAnswer } from './http.ts';
import { tempFolder } from './temp.ts';

/** A hosted component of the name `api` behind HTTP, with its file and its policy in the test's hands. */
export interface Hosted {
  readonly component: HostedComponent;
  readonly host: ComponentHost;
  readonly file: string;
  /** Where it answers. */
  readonly url: string;
  readonly log: MemoryLog;
  /** The clock of the polls; threads have the real one. */
  readonly clock: FakeClock;
  /** The digest of what was loaded, for each request that was handed to it, to run or to wait. */
  readonly arrivals: Arrivals<string>;
  /** The digest of what was taken out of service, for each once its threads have ended. */
  readonly retired: readonly Promise<string>[];
  /** How often bytes were handed to the host to be loaded. */
  loads(): number;
  /** Replaces the file in one step. Nothing looks at it yet. */
  write(bytes: Uint8Array): Promise<void>;
  /** Puts a policy set in force, as a reload does: nobody is told. */
  setPolicy(lines: string | undefined): void;
  ask(body?: string): Promise<HttpAnswer>;
}

const LIMITS: ComponentLimits = { timeoutMs: 15_000, instances: 2, maxWaiting: 100, memoryBytes: 64 * 1024 ** 2 };

/** A set with a policy for `api`, with these lines besides, or without one for it. */
function policiesWith(lines: string | undefined) {
  const name = lines === undefined ? 'other' : 'api';
  const text = `component: ${name}\nspiffeId: spiffe://example.org/${name}\nselectors: [a:b]\n${lines ?? 'audiences: [me]'}\n`;
  return compilePolicies([{ file: 'api.yaml', text }], TrustDomain.parse('example.org'));
}

export interface HostedOptions {
  /** What the file holds at first; there is none otherwise. */
  readonly bytes?: Uint8Array;
  readonly policy?: string;
  readonly limits?: Partial<ComponentLimits>;
  /** Spares a test what another one has compiled. */
  readonly compileFolder?: CompileFolder;
}

/** Starts it, and waits until it is loaded or known not to be. */
export async function startHosted(options: HostedOptions): Promise<Hosted> {
  const { bytes, policy = 'audiences: [me]', limits, compileFolder } = options;
  const log = createMemoryLog();
  const clock = createFakeClock();
  const { logger } = log;
  const file = join(await tempFolder(), 'api.wasm');
  let policies = policiesWith(policy);
  let loads = 0;
  const retired: Promise<string>[] = [];
  const arrivals = createArrivals<string>();

  const hosting = createHosting({ policies: () => policies, clock: systemClock, logger });
  const host = createComponentHost({
    broker: createFakeBroker(),
    hosting,
    egress: NO_EGRESS,
    compileFolder,
    clock: systemClock,
    openOutput: () => ({ write() {}, end() {} }),
  });
  onTestFinished(host.close);
  if (bytes !== undefined) await writeFile(file, bytes);
  const component = createHostedComponent({
    component: 'api',
    file,
    limits: { ...LIMITS, ...limits },
    host: {
      async load(...args) {
        loads += 1;
        const loaded = await host.load(...args);
        return {
          ...loaded,
          retire(refusal) {
            retired.push(loaded.retire(refusal).then(() => loaded.digest));
            return Promise.resolve();
          },
          serve(job, signal) {
            const served = loaded.serve(job, signal);
            arrivals.push(loaded.digest);
            return served;
          },
        };
      },
    },
    hosting,
    policies: () => policies,
    clock,
    logger,
  });
  onTestFinished(component.close);
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, systemClock, undefined, COMPONENT_LIMITS);
  onTestFinished(listener.close);
  listener.handle(createComponentHttp({ name: 'api', component, scheme: 'http', clock: systemClock, logger }));
  await component.started;
  return {
    component,
    host,
    file,
    url: listener.url,
    log,
    clock,
    arrivals,
    retired,
    loads: () => loads,
    async write(content) {
      await writeFile(`${file}.new`, content);
      await rename(`${file}.new`, file);
    },
    setPolicy(lines) {
      policies = policiesWith(lines);
    },
    ask: (body) => ask(listener.url, { path: '/', ...(body === undefined ? {} : { method: 'POST', body }) }),
  };
}
