import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { wasmpayPolicy } from '../../examples/demo/wasmpay-policy.ts';
import { startSvidx } from './svidx.ts';
import { tempFolder } from './temp.ts';

/** What `svidx dev` is told so that wasmPay can run in it: the sample policy, with ports that are free. */
export async function wasmpayDevArgs(): Promise<readonly string[]> {
  return (await prepareWasmpay(await tempFolder())).devArgs;
}

export interface WasmpayFolder {
  readonly devArgs: readonly string[];
  /** The sample policy, with ports that are free; in force once it is in `file`, where it is already. */
  readonly text: string;
  readonly file: string;
  /** Where further policies can be. */
  readonly folder: string;
}

/** Makes a policy folder in there. */
export async function prepareWasmpay(parent: string): Promise<WasmpayFolder> {
  const { text, devArgs } = await wasmpayPolicy();
  const folder = join(parent, 'policies');
  const file = join(folder, 'wasmpay.yaml');
  await mkdir(folder);
  await writeFile(file, text);
  return { devArgs: ['--policies', folder, ...devArgs], text, file, folder };
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
export async function startWasmpay({ devArgs }: WasmpayFolder, wasm: string): Promise<RunningWasmpay> {
  const dev = startSvidx(['dev', '--json', '--log-level', 'trace', ...devArgs]);
  const { broker, issuer }: Record<'broker' | 'issuer', string> = JSON.parse(await dev.firstLine());
  const args = ['run', wasm, '--component', 'wasmpay', '--listen', '127.0.0.1:0', '--json'];
  const run = startSvidx(args, { env: { SVIDX_SOCKET: broker } });
  const close = async (): Promise<string> => {
    // In this order: a component that still answers finds its service there.
    const ends = [await run.end(), await dev.end()];
    const text = ends.map(({ stdout, stderr }) => stdout + stderr).join('\n');
    if (ends.some(({ code }) => code !== 0)) throw new Error(`svidx did not end well: ${text}`);
    return text;
  };
  try {
    const { url, digest } = JSON.parse(await run.firstLine());
    return { url, digest, socket: broker, issuer, close };
  } catch (error) {
    await dev.end();
    throw error;
  }
}
