import { mkdir, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { inject } from 'vitest';
import { runProgram } from '../../support/cli.ts';
import { fillIn } from './deploy-file.ts';
import type { SpirePrograms } from './find-spire.ts';
import { createProgram, type Program } from './program.ts';
import type { Reaper } from './reaper.ts';

/** A SPIRE server on loopback, with deploy/spire/server.conf. */
export interface SpireServer extends Program {
  readonly port: number;
  readonly socket: string;
  /**
   * Runs one of its commands, such as `entry show`, and returns what that prints.
   * @throws Error with what it says, when it fails
   */
  ctl(command: string, ...flags: readonly string[]): Promise<string>;
}

export interface SpireServerOptions {
  /** A folder of its own; the shorter its path the better, since a socket's path has at most 107 bytes. */
  readonly folder: string;
  readonly reaper: Reaper;
  /** Settings of server.conf, beside paths, port and interval. */
  readonly settings?: Readonly<Record<string, string>>;
}

export async function startSpireServer({ folder, reaper, settings }: SpireServerOptions): Promise<SpireServer> {
  await mkdir(folder);
  const port = await freePort();
  const socket = join(folder, 'api.sock');
  const config = join(folder, 'server.conf');
  const text = await fillIn('server.conf', {
    bind_port: String(port),
    socket_path: socket,
    data_dir: folder,
    connection_string: join(folder, 'datastore.sqlite3'),
    keys_path: join(folder, 'keys.json'),
    cache_reload_interval: '1s',
    ...settings,
  });
  await writeFile(config, text);
  const file = spirePrograms().server;
  const program = createProgram({
    file,
    args: ['run', '-config', config],
    logFile: join(folder, 'server.log'),
    reaper,
    isReady: () => accepts(socket),
  });
  await program.start();
  return {
    ...program,
    port,
    socket,
    async ctl(command, ...flags) {
      const { code, stdout, stderr } = await runProgram(file, [...command.split(' '), '-socketPath', socket, ...flags]);
      if (code !== 0) throw new Error(`spire-server ${command}: ${stderr || stdout}`);
      return stdout;
    },
  };
}

export function spirePrograms(): SpirePrograms {
  const programs = inject('spire');
  if (programs === undefined) throw new Error('SPIRE is not installed');
  return programs;
}

/** Whether somebody listens on this socket. */
export function accepts(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** A port that nobody has just now: SPIRE cannot say which one it took. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === 'object' && address !== null) resolve(address.port);
        else reject(new Error('no port'));
      });
    });
  });
}
