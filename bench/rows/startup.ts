import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServer } from '../load.ts';
import { median, type Row } from '../row.ts';

const ROUNDS = 11;
const SVIDX = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** From the start of the process to its ready line, when the issuer answers, against a process that does nothing. */
export async function startup(): Promise<Row[]> {
  const upstream = await startServer('upstream');
  const folder = await mkdtemp(join(tmpdir(), 'svidx-bench-'));
  const config = join(folder, 'svidx.yaml');
  await writeFile(
    config,
    JSON.stringify({
      trustDomain: 'example.org',
      issuer: 'https://oidc.example.org',
      policies: upstream.ready['policies'],
      http: { listen: '127.0.0.1:0' },
      spire: { adminSocket: `unix:${upstream.ready['spire']}` },
      broker: { socket: join(folder, 'broker.sock') },
    }),
  );
  const serving: number[] = [];
  const nothing: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    nothing.push(await timeToOutputOrExit(['-e', '0']));
    serving.push(await timeToOutputOrExit([SVIDX, 'serve', '--json', '-c', config]));
  }
  await upstream.stop();
  await rm(folder, { recursive: true, force: true });
  const ratio = median(serving) / median(nothing);
  return [
    {
      what: 'process start to serving',
      measured: `${median(serving).toFixed(0)} ms`,
      against: `node -e 0 ${median(nothing).toFixed(0)} ms`,
      ratio,
      target: '<= 6',
      met: ratio <= 6,
    },
  ];
}

async function timeToOutputOrExit(args: readonly string[]): Promise<number> {
  const started = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const exited = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), exited]);
  const took = performance.now() - started;
  child.kill('SIGTERM');
  await exited;
  return took;
}
