import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Running, startSvidx } from './svidx.ts';
import { tempFolder } from './temp.ts';

const SAMPLE = join(import.meta.dirname, '../../examples/wasmpay/policies/wasmpay.yaml');

/** The ports that the sample policy of wasmPay names: of the local AWS STS, and of the local model endpoint. */
const STS_PORT = '8091';
const MODEL_PORT = '8092';

/** What `svidx dev` is told so that wasmPay can run in it: the sample policy, with ports that are free. */
export async function wasmpayDevArgs(): Promise<readonly string[]> {
  return (await prepareWasmpay(await tempFolder())).devArgs;
}

export interface WasmpayPolicy {
  readonly devArgs: readonly string[];
  /** The sample policy, with ports that are free; in force once it is in `file`, where it is already. */
  readonly text: string;
  readonly file: string;
  /** Where further policies can be. */
  readonly folder: string;
}

/** Makes a policy folder in there. */
export async function prepareWasmpay(parent: string): Promise<WasmpayPolicy> {
  const [sts, model] = await freePorts();
  const folder = join(parent, 'policies');
  const file = join(folder, 'wasmpay.yaml');
  const text = (await readFile(SAMPLE, 'utf8')).replaceAll(STS_PORT, sts).replaceAll(MODEL_PORT, model);
  await mkdir(folder);
  await writeFile(file, text);
  const devArgs = ['--policies', folder, '--sts-listen', `127.0.0.1:${sts}`, '--model-listen', `127.0.0.1:${model}`];
  return { devArgs, text, file, folder };
}

/** wasmPay as the README of the example starts it. */
export interface RunningWasmpay {
  /** Where the component answers. */
  readonly url: string;
  /** As its host has computed it. */
  readonly digest: string;
  /** The private socket of the service. */
  readonly socket: string;
  readonly issuer: string;
  /** Ends both. Resolves to all that they have written. */
  close(): Promise<string>;
}

/** @param wasm the path of the component */
export async function startWasmpay({ devArgs }: WasmpayPolicy, wasm: string): Promise<RunningWasmpay> {
  const socketOf = async (dev: Running): Promise<{ broker: string; issuer: string }> =>
    JSON.parse(await dev.firstLine());
  const dev = startSvidx(['dev', '--json', '--log-level', 'trace', ...devArgs]);
  const { broker, issuer } = await socketOf(dev);
  const args = ['run', wasm, '--component', 'wasmpay', '--listen', '127.0.0.1:0', '--json'];
  const run = startSvidx(args, { env: { SVIDX_SOCKET: broker } });
  const { url, digest } = JSON.parse(await run.firstLine());
  return {
    url,
    digest,
    socket: broker,
    issuer,
    async close() {
      // In this order: a component that still answers finds its service there.
      const ends = [await run.end(), await dev.end()];
      const text = ends.map(({ stdout, stderr }) => stdout + stderr).join('\n');
      if (ends.some(({ code }) => code !== 0)) throw new Error(`svidx did not end well: ${text}`);
      return text;
    },
  };
}

/** Two ports that nobody listens on: they were had at once, so they are not the same. */
async function freePorts(): Promise<readonly [string, string]> {
  const servers = [createServer().listen(0, '127.0.0.1'), createServer().listen(0, '127.0.0.1')];
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const [first = '', second = ''] = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' ? String(address?.port) : '';
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return [first, second];
}
