import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { inject } from 'vitest';

/** Vault or OpenBao in development mode: in memory, on loopback, over TLS by an authority that it has made. */
export interface RealVault {
  readonly url: string;
  readonly caFile: string;
  /** Asks as root, or with another token, below `/v1/`. */
  ask(method: string, path: string, options?: AskOptions): Promise<VaultAnswer>;
  /**
   * Writes as root.
   * @throws Error with what it says, when it refuses
   */
  write(path: string, body: object, namespace?: string): Promise<void>;
  close(): Promise<void>;
}

export interface AskOptions {
  readonly token?: string;
  readonly namespace?: string | undefined;
  readonly body?: object;
}

export interface VaultAnswer {
  readonly status: number;
  readonly text: string;
}

/** Ends with its standard input, so that it does not outlive a test whose process is killed. */
const UNTIL_INPUT_ENDS = '"$@" & read -r _; kill "$!"; wait';

const STARTED = /server started!/;

export async function startRealVault(): Promise<RealVault> {
  const file = inject('vault');
  if (file === undefined) throw new Error('neither Vault nor OpenBao is installed');
  const folder = await mkdtemp(join(tmpdir(), 'svidx-vault-'));
  const port = await freePort();
  const root = randomBytes(16).toString('hex');
  const flags = ['-dev', '-dev-no-store-token', '-dev-tls', `-dev-tls-cert-dir=${folder}`];
  const child = spawn(
    'sh',
    ['-c', UNTIL_INPUT_ENDS, 'sh', file, 'server', ...flags, `-dev-listen-address=127.0.0.1:${port}`],
    {
      cwd: folder,
      // Each of the two reads a variable of its own, and nothing else of the environment reaches them.
      env: { HOME: folder, PATH: '/usr/bin:/bin', VAULT_DEV_ROOT_TOKEN_ID: root, BAO_DEV_ROOT_TOKEN_ID: root },
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  const close = async (): Promise<void> => {
    const gone = child.exitCode === null ? once(child, 'exit') : undefined;
    child.stdin.end();
    await gone;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await started(child.stdout, child.stderr);
    const caName = (await readdir(folder)).find((name) => name.endsWith('-ca.pem')) ?? '';
    const caFile = join(folder, caName);
    const ca = await readFile(caFile);
    const url = `https://127.0.0.1:${port}`;

    const ask: RealVault['ask'] = async (method, path, { token = root, namespace, body } = {}) => {
      const headers = {
        'X-Vault-Token': token,
        ...(namespace === undefined ? {} : { 'X-Vault-Namespace': namespace }),
      };
      const outgoing = request(`${url}/v1/${path}`, { method, headers, ca, agent: false });
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
      const [response] = await once(outgoing, 'response');
      return { status: response.statusCode, text: await text(response) };
    };
    return {
      url,
      caFile,
      ask,
      async write(path, body, namespace) {
        const answer = await ask('POST', path, { body, namespace });
        if (answer.status >= 300) throw new Error(`${path}: HTTP ${answer.status} ${answer.text}`);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Waits until it says that it serves; fails with what it says, when it ends before. */
async function started(...outputs: readonly NodeJS.ReadableStream[]): Promise<void> {
  let said = '';
  await new Promise<void>((resolve, reject) => {
    for (const output of outputs) {
      output.setEncoding('utf8');
      output.on('data', (chunk) => {
        said += chunk;
        if (STARTED.test(said)) resolve();
      });
      output.on('end', () => reject(new Error(`it did not start: ${said.slice(-2000)}`)));
    }
  });
}

/** A port that nobody has just now: it cannot say which one it took. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
