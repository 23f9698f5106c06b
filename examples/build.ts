import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import { runNode } from './run-node.ts';
import { WASI_WIT, wasiPackages } from './wasi-wit.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const JCO = join(ROOT, 'node_modules/@bytecodealliance/jco/dist/jco.js');

/**
 * Builds the example component `examples/api-gateway/` with `jco`, on the QuickJS engine (1.5 MB, about two seconds).
 * @param output where the `.wasm` file goes
 * @param signal ends the build; nothing of it is left behind then
 */
export async function buildApiGateway(output: string, signal?: AbortSignal): Promise<void> {
  const source = join(ROOT, 'examples/api-gateway');
  await componentize(
    { main: join(source, 'api-gateway.ts'), world: join(source, 'world.wit'), name: 'api-gateway', output },
    ['--backend', 'quickjs'],
    signal,
  );
}

/**
 * Builds the example component `examples/wasmpay/` with `jco`, on the StarlingMonkey engine (14 MB, about ten seconds):
 * QuickJS runs no promise to its end in a component behind HTTP, and cannot be built for `wasi:http` as it is.
 * @param output where the `.wasm` file goes
 * @param signal ends the build; nothing of it is left behind then
 */
export async function buildWasmpay(output: string, signal?: AbortSignal): Promise<void> {
  const source = join(ROOT, 'examples/wasmpay');
  await componentize(
    { main: join(source, 'wasmpay.ts'), world: join(source, 'world.wit'), name: 'story', output },
    // It has a handler of its own, and not the engine's `fetch` event.
    ['--bundle-config', join(source, 'rolldown.config.ts'), '--disable', 'fetch-event'],
    signal,
  );
}

/**
 * Assembles the example component `examples/hello-http/` (a few kilobytes, no engine).
 * @param output where the `.wasm` file goes
 */
export async function buildHelloHttp(output: string): Promise<void> {
  const source = join(ROOT, 'examples/hello-http');
  const [text, world, wasi] = await Promise.all([
    readFile(join(source, 'hello-http.wat'), 'utf8'),
    readFile(join(source, 'world.wit'), 'utf8'),
    wasiPackages(),
  ]);
  const embedded = await componentEmbed({ binary: await parse(text), witSource: `${world}\n${wasi}` });
  await writeFile(output, await componentNew(embedded));
}

/** A component to build from TypeScript. */
export interface Component {
  /** The TypeScript file that exports what the world exports. */
  readonly main: string;
  /** The WIT file of the world, and the world's name. */
  readonly world: string;
  readonly name: string;
  readonly output: string;
}

/**
 * Builds a component from TypeScript with `jco componentize`.
 * @param options further options of that
 * @param signal ends the build; nothing of it is left behind then
 */
export async function componentize(
  { main, world, name, output }: Component,
  options: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'svidx-example-'));
  try {
    // jco wants one WIT folder: the world, and what it imports under deps/.
    const wit = join(work, 'wit');
    await cp(world, join(wit, 'world.wit'));
    await cp(WASI_WIT, join(wit, 'deps'), { recursive: true });
    await cp(join(ROOT, 'wit'), join(wit, 'deps'), { recursive: true });
    const args = [JCO, 'componentize', main, '--wit', wit, '--world-name', name, ...options, '--out', output];
    // What it has in temporary files goes with ours, also where it is ended in the middle.
    await runNode(args, { env: { ...process.env, TMPDIR: work }, signal });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
