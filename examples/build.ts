import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const JCO = join(ROOT, 'node_modules/@bytecodealliance/jco/dist/jco.js');

/**
 * Builds the example component `examples/api-gateway/` with `jco`, on the QuickJS engine (1.5 MB, about two seconds).
 * @param output where the `.wasm` file goes
 */
export async function buildApiGateway(output: string): Promise<void> {
  const source = join(ROOT, 'examples/api-gateway');
  const work = await mkdtemp(join(tmpdir(), 'svidx-example-'));
  try {
    // jco wants one WIT folder: the world, and what it imports under deps/.
    await cp(join(source, 'world.wit'), join(work, 'wit/world.wit'));
    await cp(join(ROOT, 'wit'), join(work, 'wit/deps'), { recursive: true });
    await promisify(execFile)(process.execPath, [
      JCO,
      'componentize',
      join(source, 'api-gateway.ts'),
      ...['--wit', join(work, 'wit'), '--world-name', 'api-gateway', '--backend', 'quickjs', '--out', output],
    ]);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
