import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runNode } from './run-node.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const JCO = join(ROOT, 'node_modules/@bytecodealliance/jco/dist/jco.js');

/**
 * Builds the example component `examples/api-gateway/` with `jco`, on the QuickJS engine (1.5 MB, about two seconds).
 * @param output where the `.wasm` file goes
 * @param signal ends the build; nothing of it is left behind then
 */
export async function buildApiGateway(output: string, signal?: AbortSignal): Promise<void> {
  const source = join(ROOT, 'examples/api-gateway');
  const work = await mkdtemp(join(tmpdir(), 'svidx-example-'));
  try {
    // jco wants one WIT folder: the world, and what it imports under deps/.
    await cp(join(source, 'world.wit'), join(work, 'wit/world.wit'));
    await cp(join(ROOT, 'wit'), join(work, 'wit/deps'), { recursive: true });
    const args = [
      JCO,
      'componentize',
      join(source, 'api-gateway.ts'),
      ...['--wit', join(work, 'wit'), '--world-name', 'api-gateway', '--backend', 'quickjs', '--out', output],
    ];
    await runNode(args, { signal });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
