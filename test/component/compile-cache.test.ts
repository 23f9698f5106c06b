import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { runNode } from '../../examples/run-node.ts';
import { systemClock } from '../../src/base/clock.ts';
import { SvidxError } from '../../src/base/errors.ts';
import { type CompileCache, type CompileCacheOptions, createCompileCache } from '../../src/component/compile-cache.ts';
import { type CompileFolder, openCompileFolder } from '../../src/component/compile-folder.ts';
import { createCoreInstances } from '../../src/component/core-instances.ts';
import { counter, httpHandler } from '../fakes/components.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';
import { assembleText } from '../support/assemble.ts';
import { refusal } from '../support/errors.ts';
import { tempFolder } from '../support/temp.ts';

const LIMITS = { memoryBytes: 2 ** 24 };
const STOPPING = new SvidxError('service_stopping', 'enough');

let good: Uint8Array;
let other: Uint8Array;

beforeAll(async () => {
  [good, other] = await Promise.all([counter(), httpHandler()]);
});

function createCache(options: Partial<CompileCacheOptions> = {}): CompileCache {
  const cache = createCompileCache({ clock: systemClock, ...options });
  onTestFinished(() => cache.close(STOPPING));
  return cache;
}

interface WatchedFolder extends CompileFolder {
  readonly path: string;
  readonly log: MemoryLog;
  readonly loaded: boolean[];
  readonly stored: string[];
}

/** A folder that tells what was asked of it. */
async function watchedFolder(path?: string): Promise<WatchedFolder> {
  const log = createMemoryLog();
  const where = path ?? join(await tempFolder(), 'cache');
  const folder = await openCompileFolder({ path: where, logger: log.logger });
  const loaded: boolean[] = [];
  const stored: string[] = [];
  return {
    path: where,
    log,
    loaded,
    stored,
    async load(key) {
      const found = await folder.load(key);
      loaded.push(found !== undefined);
      return found;
    },
    async store(key, component) {
      await folder.store(key, component);
      stored.push(key);
    },
  };
}

describe('in memory', () => {
  test('a component is compiled once, however often and at the same time it is asked for', async () => {
    const cache = createCache();
    const together = await Promise.all([1, 2, 3].map(() => cache.compile(good, LIMITS)));
    const later = await cache.compile(Uint8Array.from(good), LIMITS);
    expect(new Set([...together, later]).size).toBe(1);
    expect(later).toMatchObject({
      digest: `sha256:${createHash('sha256').update(good).digest('hex')}`,
      memoryBytes: LIMITS.memoryBytes,
      functions: expect.arrayContaining(['add']),
    });
  });

  test('but anew for other bytes, and for another limit', async () => {
    const cache = createCache();
    const longer = Buffer.concat([good, Buffer.from([0x00, 0x02, 0x01, 0x78])]);
    const [first, second, third] = [
      await cache.compile(good, LIMITS),
      await cache.compile(longer, LIMITS),
      await cache.compile(good, { memoryBytes: 2 ** 25 }),
    ];
    expect(second.digest).not.toBe(first.digest);
    expect(third.digest).toBe(first.digest);
    expect([first.memoryBytes, third.memoryBytes]).toEqual([2 ** 24, 2 ** 25]);
    expect([...first.limits.values()]).not.toEqual([...third.limits.values()]);
  });

  test('so many are kept, and those unused for longest go', async () => {
    const cache = createCache({ maxComponents: 1 });
    const first = await cache.compile(good, LIMITS);
    expect(await cache.compile(good, LIMITS)).toBe(first);
    await cache.compile(other, LIMITS);
    const again = await cache.compile(good, LIMITS);
    expect(again).not.toBe(first);
    expect(again.digest).toBe(first.digest);
  });

  test('a refusal is not remembered, and is no matter of the next component', async () => {
    const cache = createCache();
    const panics = await assembleText('(component (import "m" (core module $m)) (core instance (instantiate $m)))');
    for (let attempt = 0; attempt < 2; attempt += 1) {
      expect(await refusal(cache.compile(panics, LIMITS))).toMatchObject({ code: 'component_invalid' });
    }
    expect((await cache.compile(good, LIMITS)).functions).toContain('add');
  });

  test('who changes the bytes meanwhile changes nothing', async () => {
    const changing = Uint8Array.from(good);
    const compiling = createCache().compile(changing, LIMITS);
    changing.fill(0);
    const compiled = await compiling;
    expect(compiled.digest).toBe(`sha256:${createHash('sha256').update(good).digest('hex')}`);
    expect(compiled.functions).toContain('add');
  });
});

describe('waiting', () => {
  test("is over with the caller's signal; the others get what they wait for", async () => {
    const cache = createCache();
    const reason = new SvidxError('component_timed_out', 'too long');
    const controller = new AbortController();
    const patient = cache.compile(good, LIMITS);
    const impatient = cache.compile(good, LIMITS, controller.signal);
    controller.abort(reason);
    await expect(impatient).rejects.toBe(reason);
    expect((await patient).functions).toContain('add');
    await expect(cache.compile(good, LIMITS, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  test('is over with the cache', async () => {
    const folder = await watchedFolder();
    const cache = createCache({ folder });
    const waiting = [cache.compile(good, LIMITS), cache.compile(other, LIMITS)].map((compiling) => refusal(compiling));
    await cache.close(STOPPING);
    expect(await Promise.all(waiting)).toEqual([STOPPING, STOPPING]);
    await expect(cache.compile(good, LIMITS)).rejects.toBe(STOPPING);
    expect(await readdir(folder.path)).toEqual([]);
  });
});

describe('in a folder', () => {
  test('a component outlives the process, and runs as before', async () => {
    const folder = await watchedFolder();
    const before = createCache({ folder });
    const compiled = await before.compile(good, LIMITS);
    await before.close(STOPPING);
    expect(folder.stored).toHaveLength(1);

    const after = createCache({ folder });
    const again = await after.compile(good, LIMITS);
    expect(folder.loaded).toEqual([false, true]);
    expect(again).toMatchObject({
      ...compiled,
      modules: expect.any(Map),
      limits: compiled.limits,
    });
    const cores = createCoreInstances(again);
    const { exports } = cores.instantiate(cores.getModule('component.core.wasm'));
    const { add } = exports;
    expect(typeof add === 'function' ? add(2, 40) : undefined).toBe(42);
    // What was loaded is not written again.
    await after.close(STOPPING);
    expect(folder.stored).toHaveLength(1);
  });

  test('another limit, and other bytes, have files of their own', async () => {
    const folder = await watchedFolder();
    const cache = createCache({ folder });
    await cache.compile(good, LIMITS);
    await cache.compile(good, { memoryBytes: 2 ** 25 });
    await cache.compile(other, LIMITS);
    await cache.close(STOPPING);
    expect(folder.loaded).toEqual([false, false, false]);
    expect(new Set(folder.stored).size).toBe(3);
    expect(await readdir(folder.path)).toHaveLength(3);
  });

  test('what is damaged there is compiled anew and put right', async () => {
    const folder = await watchedFolder();
    const before = createCache({ folder });
    await before.compile(good, LIMITS);
    await before.close(STOPPING);
    const [name = ''] = await readdir(folder.path);
    const bytes = await readFile(join(folder.path, name));
    const at = bytes.length - 10;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(join(folder.path, name), bytes);

    const after = createCache({ folder });
    expect((await after.compile(good, LIMITS)).functions).toContain('add');
    await after.close(STOPPING);
    expect(folder.loaded).toEqual([false, false]);
    expect(folder.log.entries()).toMatchObject([{ event: 'component.cache_file_unusable' }]);
    expect(await createCache({ folder }).compile(good, LIMITS)).toBeDefined();
    expect(folder.loaded).toEqual([false, false, true]);
  });

  test('what is of another component is never taken for this one', async () => {
    const folder = await watchedFolder();
    const cache = createCache({ folder });
    const handler = await cache.compile(other, LIMITS);
    await cache.close(STOPPING);
    const [key = ''] = folder.stored;
    const stored = await folder.load(key);
    // Even a folder that would answer with it.
    const wrong = createCache({ folder: { load: async () => stored, store: async () => {} } });
    const compiled = await wrong.compile(good, LIMITS);
    expect(compiled.digest).not.toBe(handler.digest);
    expect(compiled.functions).toContain('add');
  });

  test('no refusal is kept there', async () => {
    const folder = await watchedFolder();
    const cache = createCache({ folder });
    expect(await refusal(cache.compile(Buffer.from('junk'), LIMITS))).toMatchObject({ code: 'component_invalid' });
    await cache.close(STOPPING);
    expect(await readdir(folder.path)).toEqual([]);
  });

  test('a folder that cannot be written to costs a warning, and no component', async () => {
    const folder = await watchedFolder();
    const { rm } = await import('node:fs/promises');
    await rm(folder.path, { recursive: true });
    const cache = createCache({ folder });
    expect((await cache.compile(good, LIMITS)).functions).toContain('add');
    await cache.close(STOPPING);
    expect(folder.log.entries()).toMatchObject([{ event: 'component.cache_not_written', reason: 'ENOENT' }]);
  });

  test('several processes share it, at the same time and one after the other', async () => {
    const work = await tempFolder();
    const [file, path] = [join(work, 'component.wasm'), join(work, 'cache')];
    await writeFile(file, good);
    const program = join(import.meta.dirname, '../support/compile-in-folder.ts');
    const run = async (): Promise<unknown> => JSON.parse(await runNode([program, file, path]));
    const expected = { functions: expect.arrayContaining(['add']), warnings: [] };
    expect(await Promise.all([run(), run(), run()])).toEqual([expected, expected, expected]);
    const [only = '', ...more] = await readdir(path);
    expect(more).toEqual([]);
    const before = await readFile(join(path, only));
    expect(await run()).toEqual(expected);
    expect(await readFile(join(path, only))).toEqual(before);
    // This process finds what those have stored: nothing in the key is of one process.
    const folder = await watchedFolder(path);
    await createCache({ folder }).compile(good, LIMITS);
    expect(folder.loaded).toEqual([true]);
  });
});
