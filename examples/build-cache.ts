import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildApiGateway, buildHelloHttp, buildWasmpay } from './build.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CACHE = join(ROOT, 'node_modules/.cache/svidx-examples');

const BUILDS = { 'api-gateway': buildApiGateway, 'hello-http': buildHelloHttp, wasmpay: buildWasmpay };

export type ExampleName = keyof typeof BUILDS;

export function isExampleName(text: string): text is ExampleName {
  return Object.hasOwn(BUILDS, text);
}

/** What every build depends on, beside its own folder. The lock file has the versions of all tools. */
const SHARED = ['package-lock.json', 'wit', 'examples/build.ts', 'examples/wasi-wit.ts'];

/**
 * The example component, built unless it has been: it is kept by the hash of its sources and of the versions of the tools.
 * @param signal ends the build
 * @returns the path of the `.wasm` file, which others use as well: it is not to be changed
 */
export async function builtExample(name: ExampleName, signal?: AbortSignal): Promise<string> {
  const path = join(CACHE, `${name}-${await hashOf([...SHARED, `examples/${name}`])}.wasm`);
  if (await exists(path)) return path;
  await mkdir(CACHE, { recursive: true });
  // Two who build at once do not meet: whoever is done first has its file replaced by the same bytes, in one step.
  const work = await mkdtemp(join(CACHE, 'building-'));
  try {
    await BUILDS[name](join(work, 'component.wasm'), signal);
    await rename(join(work, 'component.wasm'), path);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return path;
}

/** The hash of all files there, with their paths. */
async function hashOf(paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) {
    for (const file of await filesIn(path)) {
      const bytes = await readFile(join(ROOT, file));
      hash.update(`${file} ${bytes.byteLength}\n`).update(bytes);
    }
  }
  return hash.digest('hex').slice(0, 32);
}

async function filesIn(path: string): Promise<string[]> {
  if ((await stat(join(ROOT, path))).isFile()) return [path];
  const entries = await readdir(join(ROOT, path), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files.map((file) => file.slice(ROOT.length)).sort();
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
