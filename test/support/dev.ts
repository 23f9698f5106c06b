import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Finished, type SvidxOptions, startSvidx, svidx } from './svidx.ts';

/** `svidx dev` with the sample policies, running for all tests of a file, and commands that talk to it. */
export interface DevService {
  /** What its ready line says. */
  readonly ready: Readonly<Record<'issuer' | 'discovery' | 'broker' | 'sts' | 'model' | 'spire', string>>;
  /** Runs a command with `SVIDX_SOCKET` set to this service's socket. */
  svidx(args: readonly string[], options?: SvidxOptions): Promise<Finished>;
  /** Ends it. All it has logged, at the level `trace`, is searched for secrets. */
  close(): Promise<void>;
}

export async function startDev(args: readonly string[] = []): Promise<DevService> {
  const folder = await mkdtemp(join(tmpdir(), 'svidx-'));
  const running = startSvidx(['dev', '--json', '--log-level', 'trace', ...args], { env: { TMPDIR: folder } });
  const ready: DevService['ready'] = JSON.parse(await running.firstLine());
  return {
    ready,
    svidx: (commandArgs, options = {}) =>
      svidx(commandArgs, { ...options, env: { SVIDX_SOCKET: ready.broker, ...options.env } }),
    async close() {
      const { code, stderr } = await running.end();
      await rm(folder, { recursive: true, force: true });
      if (code !== 0) throw new Error(`svidx dev ended with ${code}: ${stderr}`);
    },
  };
}
