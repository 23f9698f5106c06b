import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import { buildHelloHttp, buildWasmpay } from '../../examples/build.ts';
import { median, type Row } from '../row.ts';
import { type BenchWorld, startBenchWorld } from '../world.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SVIDX = join(ROOT, 'dist/main.js');
const JCO = join(ROOT, 'node_modules/@bytecodealliance/jco/dist/jco.js');

const CONNECTIONS = 16;
const SECONDS = 5;
const ROUNDS = 3;

/** As many instances as this machine can run side by side, and as many again that wait for somebody. */
const INSTANCES = 4;

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
}

/**
 * Components behind HTTP, a fresh instance for each request, against `jco serve` with its two ways of isolating requests and
 * with none. One server runs at a time, in turns.
 */
export async function componentHost(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'svidx-bench-'));
  const world = await startBenchWorld(1);
  try {
    const text = join(folder, 'hello.wasm');
    const typescript = join(folder, 'wasmpay.wasm');
    await Promise.all([buildHelloHttp(text), buildWasmpay(typescript)]);
    const stubs = await writeStubs(folder);
    return [
      ...(await compare('WebAssembly text', text, world, [])),
      ...(await compare('TypeScript', typescript, world, stubs)),
    ];
  } finally {
    await world.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function compare(what: string, file: string, world: BenchWorld, stubs: readonly string[]): Promise<Row[]> {
  const ways = {
    ours: () => startOurs(file, world),
    instance: () => startJco(file, ['--isolate-requests', 'instance', ...stubs]),
    worker: () => startJco(file, ['--isolate-requests', 'worker', ...stubs]),
    none: () => startJco(file, stubs),
  };
  const results: Record<keyof typeof ways, Measured[]> = { ours: [], instance: [], worker: [], none: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, start] of Object.entries(ways)) {
      if (isWay(name, results)) results[name].push(await measure(await start()));
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
  return `${of(name, 'requestsPerSecond').toFixed(0)}/s, p99 ${of(name, 'p99').toFixed(0)} ms, ${of(name, 'memory').toFixed(0)} MiB`;
}

async function measure({ url, process: child }: Candidate): Promise<Measured> {
  try {
    await autocannon({ url, connections: CONNECTIONS, duration: 2 });
    const { requests, latency, non2xx, errors } = await autocannon({
      url,
      connections: CONNECTIONS,
      duration: SECONDS,
    });
    if (non2xx > 0 || errors > 0) throw new Error(`${url}: ${non2xx} bad answers, ${errors} errors`);
    const memory = await residentMiB(child);
    const single = await autocannon({ url, connections: 1, duration: 2 });
    return {
      requestsPerSecond: requests.average,
      p99: latency.p99,
      alone: 1000 / single.requests.average,
      memory,
    };
  } finally {
    await stop(child);
  }
}

/** What one more instance takes: nine at the same time against one. */
async function perInstance(what: string, file: string, world: BenchWorld): Promise<Row> {
  const memory: number[] = [];
  for (const instances of [1, 9]) {
    const { url, process: child } = await startOurs(file, world, instances);
    await autocannon({ url, connections: instances, duration: 3 });
    memory.push(await residentMiB(child));
    await stop(child);
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
    return { url, process: child };
  }
  throw new Error('svidx run ended');
}

async function startJco(file: string, options: readonly string[]): Promise<Candidate> {
  const port = await freePort();
  const args = [JCO, 'serve', '--host', '127.0.0.1', '--port', `${port}`, ...options, file];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'ignore'], cwd: ROOT, detached: true });
  const url = `http://127.0.0.1:${port}`;
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return { url, process: child };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await stop(child);
  throw new Error('jco serve does not answer');
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

/** The imports that `jco serve` knows nothing of. Nobody calls them in this benchmark. */
async function writeStubs(folder: string): Promise<string[]> {
  const stub = join(folder, 'stub.js');
  await writeFile(stub, 'export const get = () => undefined; export const getAll = () => [];\n');
  const names = ['wasmcloud:identity/store', 'svidx:credentials/store', 'wasi:config/store'];
  return ['--jco-map', ...names.map((name) => `${name}=${stub}`), '--'];
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

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
