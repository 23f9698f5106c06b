import { fork } from 'node:child_process';
import { once } from 'node:events';
import autocannon from 'autocannon';
import { median } from './row.ts';

/** A server in a process of its own, so that it has a core to itself. */
export interface BenchServer {
  /** What the server says about where it is. */
  readonly ready: Record<string, string>;
  stop(): Promise<void>;
}

/** Starts `bench/servers/NAME.ts`; it sends one message when it is ready. */
export async function startServer(name: string, ...args: string[]): Promise<BenchServer> {
  const child = fork(new URL(`./servers/${name}.ts`, import.meta.url), args, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const [ready] = await once(child, 'message');
  return {
    ready,
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

/** An answer of ours, as `fetch` or `node:http` gives it. */
export interface Sample {
  readonly headers: Iterable<readonly [string, string]>;
  readonly body: Buffer;
}

/** Node writes these itself, for everybody. */
const OF_NODE = new Set(['date', 'connection', 'keep-alive']);

/** Starts a bare `node:http` server that sends the very same bytes: the body and the headers. */
export function startBare({ headers, body }: Sample, socketPath?: string): Promise<BenchServer> {
  const ours = Object.fromEntries([...headers].filter(([name]) => !OF_NODE.has(name)));
  const where = socketPath === undefined ? [] : [socketPath];
  return startServer('bare', body.toString('base64'), JSON.stringify(ours), ...where);
}

const SECONDS = 3;
const ROUNDS = 3;

/**
 * Requests per second of several targets: loaded in turns, so that whatever else the machine does falls on all of them.
 * @returns the median of the rounds, in the order of the targets
 */
export async function requestsPerSecond(targets: readonly autocannon.Options[]): Promise<number[]> {
  const results: number[][] = targets.map(() => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, target] of targets.entries()) {
      // A warm-up in each round, not counted.
      await autocannon({ ...target, connections: 32, duration: 1 });
      const { requests, non2xx, errors } = await autocannon({ ...target, connections: 32, duration: SECONDS });
      if (non2xx > 0 || errors > 0) throw new Error(`${target.url}: ${non2xx} bad answers, ${errors} errors`);
      results[index]?.push(requests.average);
    }
  }
  return results.map(median);
}

export function thousands(value: number): string {
  return `${(value / 1000).toFixed(1)}k/s`;
}
