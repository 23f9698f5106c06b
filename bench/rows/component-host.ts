import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import { buildHelloHttp, componentize } from '../../examples/build.ts';
import { median, type Row } from '../row.ts';
import { type BenchWorld, startBenchWorld } from '../world.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SVIDX = join(ROOT, 'dist/main.js');
const JCO = join(ROOT, 'node_modules/@bytecodealliance/jco/dist/jco.js');

const CONNECTIONS = 16;
const SECONDS = 5;
/** For the one way that answers a few requests a second, or fewer. */
const SLOW_SECONDS = 15;
const ROUNDS = 3;

/** As many instances as this machine can run side by side, and as many again that wait for somebody. */
const INSTANCES = 4;

/**
 * A worker is started for each request, and starting them is all that `jco serve` is busy with: more of them in hand do not
 * make it faster for long. As many as there are connections is its best; its default, 50, takes a minute to start.
 */
const WORKER_POOL = ['--isolate-worker-pool-size', `${CONNECTIONS}`];

/** How long a server may take to start: `jco serve` is slow with many workers of a large component. Milliseconds. */
const MAX_START_MS = 120_000;

/** What all of them answer. */
const ANSWER = 'Hello from a component.\n';

interface Measured {
  readonly requestsPerSecond: number;
  /** Milliseconds. */
  readonly p99: number;
  /** Milliseconds, of one request at a time. */
  readonly alone: number;
  /** MiB of the process and its children, at the end. */
  readonly memory: number;
}

/** A server under test: a process that answers at `url`. */
interface Candidate {
  readonly url: string;
  readonly process: ChildProcess;
  /** Does it lead a process group, of those it has started? */
  readonly leads: boolean;
}

/**
 * Components behind HTTP, a fresh instance for each request, against `jco serve` with its two ways of isolating requests and
 * with none. One server runs at a time, in turns.
 */
export async function componentHost(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'svidx-bench-'));
  const world = await startBenchWorld(1);
  try {
    const text = join(folder, 'hello-text.wasm');
    const typescript = join(folder, 'hello-typescript.wasm');
    await Promise.all([buildHelloHttp(text), buildHelloTypeScript(typescript)]);
    return [
      ...(await compare('WebAssembly text', text, world, folder)),
      ...(await compare('TypeScript', typescript, world, folder)),
    ];
  } finally {
    await world.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** On the engine StarlingMonkey: the one that runs TypeScript behind HTTP. */
async function buildHelloTypeScript(output: string): Promise<void> {
  const source = join(ROOT, 'bench/components');
  await componentize({ main: join(source, 'hello.ts'), world: join(source, 'hello.wit'), name: 'hello', output }, [
    '--disable',
    'fetch-event',
  ]);
}

async function compare(what: string, file: string, world: BenchWorld, folder: string): Promise<Row[]> {
  const ways = {
    ours: () => startOurs(file, world),
    instance: () => startJco(file, folder, ['--isolate-requests', 'instance']),
    worker: () => startJco(file, folder, ['--isolate-requests', 'worker', ...WORKER_POOL]),
    none: () => startJco(file, folder, []),
  };
  const results: Record<keyof typeof ways, Measured[]> = { ours: [], instance: [], worker: [], none: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, start] of Object.entries(ways)) {
      if (!isWay(name, results)) continue;
      results[name].push(await measure(await start(), name === 'worker' ? SLOW_SECONDS : SECONDS));
    }
  }
  const of = (name: keyof typeof ways, key: keyof Measured): number => median(results[name].map((one) => one[key]));
  const rows = (['instance', 'worker', 'none'] as const).map((other): Row => {
    const ratio = of('ours', 'requestsPerSecond') / of(other, 'requestsPerSecond');
    const how = other === 'none' ? 'without isolation' : `--isolate-requests ${other}`;
    return {
      what: `${what} component, a fresh instance for each request, requests/s`,
      measured: `${summary(of, 'ours')}`,
      against: `jco serve ${how} ${summary(of, other)}`,
      ratio,
      target: other === 'none' ? 'for the record' : '> 1',
      met: other === 'none' || ratio > 1,
    };
  });
  const alone = of('ours', 'alone') / of('instance', 'alone');
  return [
    ...rows,
    {
      what: `${what} component, one request at a time`,
      measured: `${of('ours', 'alone').toFixed(2)} ms`,
      against: `jco serve --isolate-requests instance ${of('instance', 'alone').toFixed(2)} ms`,
      ratio: alone,
      target: 'for the record',
      met: true,
    },
    await perInstance(what, file, world),
  ];
}

function isWay<T extends object>(name: string, results: T): name is string & keyof T {
  return Object.hasOwn(results, name);
}

function summary(
  of: (name: 'ours' | 'instance' | 'worker' | 'none', key: keyof Measured) => number,
  name: 'ours' | 'instance' | 'worker' | 'none',
): string {
  const rate = of(name, 'requestsPerSecond');
  return `${rate.toFixed(rate < 10 ? 1 : 0)}/s, p99 ${of(name, 'p99').toFixed(0)} ms, ${of(name, 'memory').toFixed(0)} MiB`;
}

async function measure(candidate: Candidate, seconds: number): Promise<Measured> {
  const { url, process: child } = candidate;
  try {
    await autocannon({ url, connections: CONNECTIONS, duration: 2 });
    const { requests, latency, non2xx, errors, mismatches } = await autocannon({
      url,
      connections: CONNECTIONS,
      duration: seconds,
      expectBody: ANSWER,
      // Who answers late is slow, and not wrong.
      timeout: 60,
    });
    if (non2xx + mismatches + errors > 0) {
      throw new Error(`${url}: ${non2xx} bad answers, ${mismatches} other bodies, ${errors} errors`);
    }
    const memory = await residentMiB(child);
    const single = await autocannon({ url, connections: 1, duration: 2 });
    return {
      // Who has answered nothing in this time might have answered the next moment.
      requestsPerSecond: Math.max(requests.average, 1 / seconds),
      p99: latency.p99,
      alone: 1000 / single.requests.average,
      memory,
    };
  } finally {
    await stop(candidate);
  }
}

/** What one more instance takes: nine at the same time against one. */
async function perInstance(what: string, file: string, world: BenchWorld): Promise<Row> {
  const memory: number[] = [];
  for (const instances of [1, 9]) {
    const candidate = await startOurs(file, world, instances);
    await autocannon({ url: candidate.url, connections: instances, duration: 3 });
    memory.push(await residentMiB(candidate.process));
    await stop(candidate);
  }
  const [one = 0, nine = 0] = memory;
  return {
    what: `${what} component, memory of one more instance`,
    measured: `${((nine - one) / 8).toFixed(1)} MiB`,
    against: `the process with one ${one.toFixed(0)} MiB`,
    ratio: (nine - one) / 8 / one,
    target: 'for the record',
    met: true,
  };
}

async function startOurs(file: string, world: BenchWorld, instances = INSTANCES): Promise<Candidate> {
  const args = ['run', file, '--component', 'c0', '--listen', '127.0.0.1:0', '--instances', `${instances}`, '--json'];
  const child = spawn(process.execPath, [SVIDX, ...args, '--socket', world.config.brokerSocket], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const { url } = JSON.parse(line);
    return { url, process: child, leads: false };
  }
  throw new Error('svidx run ended');
}

/** @param folder for its temporary files, which it does not remove when it is ended */
async function startJco(file: string, folder: string, options: readonly string[]): Promise<Candidate> {
  const port = await freePort();
  const args = [JCO, 'serve', '--host', '127.0.0.1', '--port', `${port}`, ...options, file];
  const env = { ...process.env, TMPDIR: folder };
  const child = spawn(process.execPath, args, { stdio: 'ignore', cwd: ROOT, env, detached: true });
  const candidate: Candidate = { url: `http://127.0.0.1:${port}`, process: child, leads: true };
  const end = performance.now() + MAX_START_MS;
  while (child.exitCode === null && performance.now() < end) {
    const answer = await fetch(candidate.url).catch(() => undefined);
    if ((await answer?.text()) === ANSWER) return candidate;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await stop(candidate);
  throw new Error(`jco serve ${options.join(' ')} does not answer`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Of the process and those it has started. */
async function residentMiB(child: ChildProcess): Promise<number> {
  const tasks = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
  const pids = [`${child.pid}`, ...tasks.trim().split(' ').filter(Boolean)];
  const sizes = await Promise.all(
    pids.map(async (pid) => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function stop({ process: child, leads }: Candidate): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, 'exit');
  process.kill(leads ? -child.pid : child.pid, 'SIGKILL');
  await ended;
}
