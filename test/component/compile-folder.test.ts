import { chmod, link, mkdir, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type CompileFolder,
  type CompileFolderOptions,
  openCompileFolder,
} from '../../src/component/compile-folder.ts';
import { type TranslatedComponent, translateComponent } from '../../src/component/translate.ts';
import { decodeTranslated, encodeTranslated } from '../../src/component/translated-file.ts';
import { counter, httpHandler } from '../fakes/components.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';
import { refusal } from '../support/errors.ts';
import { tempFolder } from '../support/temp.ts';

const KEY = 'ab'.repeat(32);
const OTHER_KEY = 'cd'.repeat(32);

const fileOf = (path: string, key = KEY): string => join(path, `${key}.svidxc`);

let component: TranslatedComponent;
let other: TranslatedComponent;

beforeAll(async () => {
  component = await translateComponent(await counter(), { memoryBytes: 2 ** 24 });
  other = await translateComponent(await httpHandler(), { memoryBytes: 2 ** 24 });
});

interface OpenFolder {
  readonly path: string;
  readonly folder: CompileFolder;
  readonly log: MemoryLog;
}

async function openFolder(options: Partial<CompileFolderOptions> = {}): Promise<OpenFolder> {
  const path = join(await tempFolder(), 'cache');
  const log = createMemoryLog();
  return { path, log, folder: await openCompileFolder({ path, logger: log.logger, ...options }) };
}

/** The folder with `component` in it. */
async function filledFolder(): Promise<OpenFolder> {
  const opened = await openFolder();
  await opened.folder.store(KEY, component);
  expect(await opened.folder.load(KEY)).toBeDefined();
  return opened;
}

async function expectPassedOver({ folder, log, path }: OpenFolder, reason: string | RegExp): Promise<void> {
  expect(await folder.load(KEY)).toBeUndefined();
  expect(log.entries()).toMatchObject([
    {
      level: 'warn',
      event: 'component.cache_file_unusable',
      file: fileOf(path),
      reason: expect.stringMatching(reason),
      msg: 'translating again',
    },
  ]);
  // And the next store puts it right.
  await folder.store(KEY, component);
  expect((await folder.load(KEY))?.digest).toBe(component.digest);
}

describe('what is stored', () => {
  test('is loaded as it was, by this process and another', async () => {
    const { path, folder, log } = await filledFolder();
    const loaded = await folder.load(KEY);
    expect(loaded).toMatchObject({ ...component, cores: expect.any(Map) });
    expect([...(loaded?.cores ?? [])].map(([name, { bytes, limits }]) => [name, Buffer.from(bytes), limits])).toEqual(
      [...component.cores].map(([name, { bytes, limits }]) => [name, Buffer.from(bytes), limits]),
    );
    const again = await openCompileFolder({ path, logger: log.logger });
    expect((await again.load(KEY))?.source).toBe(component.source);
    expect(log.lines).toEqual([]);
  });

  test('has a file that only this user can read, in a folder that only this user can enter', async () => {
    const { path } = await filledFolder();
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect((await stat(fileOf(path))).mode & 0o777).toBe(0o600);
    expect(await readdir(path)).toEqual([`${KEY}.svidxc`]);
  });

  test('is not there under another key, and that is no cause for a warning', async () => {
    const { folder, log } = await filledFolder();
    expect(await folder.load(OTHER_KEY)).toBeUndefined();
    expect(log.lines).toEqual([]);
  });

  test('keeps what it says it exports, or that it does not', async () => {
    const { folder } = await openFolder();
    await folder.store(KEY, other);
    expect(await folder.load(KEY)).toMatchObject({
      httpHandler: 'wasi:http/incoming-handler@0.2.10',
      command: undefined,
      imports: ['wasi:http/types@0.2.10'],
    });
  });
});

describe('a file that is not what was stored is passed over', () => {
  test('with any byte changed, or cut off anywhere', async () => {
    const file = await encodeTranslated(component, KEY);
    expect(await decodeTranslated(file, KEY)).toBeDefined();
    const flipped = fc.tuple(fc.nat({ max: file.length - 1 }), fc.integer({ min: 1, max: 255 })).map(([at, by]) => {
      const changed = Buffer.from(file);
      changed[at] = (changed[at] ?? 0) ^ by;
      return changed;
    });
    const cut = fc.nat({ max: file.length - 1 }).map((length) => file.subarray(0, length));
    const longer = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((more) => Buffer.concat([file, more]));
    const begun = fc.nat({ max: 60 }).map((at) => Buffer.concat([file.subarray(0, at), file.subarray(at + 1)]));
    await fc.assert(
      fc.asyncProperty(fc.oneof(flipped, cut, longer, begun), async (damaged) => {
        expect(await decodeTranslated(damaged, KEY)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  test('also where its hash is right, but not what it says of itself', async () => {
    const index = { digest: 'd', memoryBytes: 1, sourceBytes: 1, cores: [], imports: [], functions: [] };
    const withIndex = async (json: string, rest = 'x'): Promise<Buffer<ArrayBuffer>> => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(json.length);
      const content = Buffer.concat([Buffer.from(KEY, 'hex'), length, Buffer.from(json), Buffer.from(rest)]);
      const hash = Buffer.from(await crypto.subtle.digest('SHA-256', content));
      return Buffer.concat([Buffer.from('svidxc\r\n'), hash, content]);
    };
    expect(await decodeTranslated(await withIndex(JSON.stringify(index)), KEY)).toMatchObject({ source: 'x' });
    const core = { name: 'component.core.wasm', bytes: 0, memoryBytes: 0, tableEntries: 0 };
    for (const bad of [
      { ...index, sourceBytes: 2 },
      { ...index, sourceBytes: 0 },
      { ...index, sourceBytes: -1 },
      { ...index, sourceBytes: 2 ** 53 },
      { ...index, sourceBytes: 1.5 },
      { ...index, functions: [1] },
      { ...index, more: true },
      { ...index, cores: [{ ...core, name: '../../etc/passwd' }] },
      { ...index, cores: [{ ...core, bytes: 1 }] },
      { ...index, cores: [{ ...core, memoryBytes: -1 }] },
      { ...index, cores: [{ ...core, memoryBytes: undefined }] },
      [],
      null,
    ]) {
      expect(await decodeTranslated(await withIndex(JSON.stringify(bad)), KEY)).toBeUndefined();
    }
    const twice = JSON.stringify(index).replace('{', '{"digest":"e",');
    expect(await decodeTranslated(await withIndex(twice), KEY)).toBeUndefined();
    expect(await decodeTranslated(await withIndex('{'), KEY)).toBeUndefined();
  });

  test('cut short, and the next store puts it right', async () => {
    const opened = await filledFolder();
    const bytes = await readFile(fileOf(opened.path));
    await writeFile(fileOf(opened.path), bytes.subarray(0, -1));
    await expectPassedOver(opened, 'is damaged, or of another key');
  });

  test.each([
    ['empty', Buffer.alloc(0)],
    ['something else', Buffer.from('not of ours')],
  ])('%s', async (_, bytes) => {
    const opened = await filledFolder();
    await writeFile(fileOf(opened.path), bytes);
    await expectPassedOver(opened, 'is damaged, or of another key');
  });

  test('under the name of another: two files that changed places', async () => {
    const opened = await filledFolder();
    await opened.folder.store(OTHER_KEY, other);
    await rename(fileOf(opened.path), join(opened.path, 'between'));
    await rename(fileOf(opened.path, OTHER_KEY), fileOf(opened.path));
    await rename(join(opened.path, 'between'), fileOf(opened.path, OTHER_KEY));
    await expectPassedOver(opened, 'is damaged, or of another key');
  });

  test('another by a hard link', async () => {
    const opened = await filledFolder();
    await opened.folder.store(OTHER_KEY, other);
    await rm(fileOf(opened.path));
    await link(fileOf(opened.path, OTHER_KEY), fileOf(opened.path));
    await expectPassedOver(opened, 'is damaged, or of another key');
  });
});

describe('a file that others may have written is passed over, though it is whole', () => {
  test.each([0o620, 0o602, 0o666, 0o777])('with mode %o', async (mode) => {
    const opened = await filledFolder();
    await chmod(fileOf(opened.path), mode);
    await expectPassedOver(opened, 'can be written by others');
  });

  test.runIf(process.getuid?.() === 0)('of another user', async () => {
    const opened = await filledFolder();
    const { chown } = await import('node:fs/promises');
    await chown(fileOf(opened.path), 65_534, 65_534);
    await expectPassedOver(opened, 'belongs to the user 65534');
  });

  test('behind a symbolic link', async () => {
    const opened = await filledFolder();
    const elsewhere = join(await tempFolder(), 'planted');
    await rename(fileOf(opened.path), elsewhere);
    await symlink(elsewhere, fileOf(opened.path));
    await expectPassedOver(opened, 'ELOOP');
    // What stands at the other end was not written through it.
    expect((await stat(fileOf(opened.path))).ino).not.toBe((await stat(elsewhere)).ino);
  });

  test('a link to nowhere', async () => {
    const opened = await openFolder();
    await symlink('/nowhere', fileOf(opened.path));
    await expectPassedOver(opened, 'ELOOP');
  });

  test('a folder, which also cannot be put right', async () => {
    const { path, folder, log } = await openFolder();
    await mkdir(fileOf(path));
    expect(await folder.load(KEY)).toBeUndefined();
    await folder.store(KEY, component);
    expect(log.entries().map(({ event, reason }) => [event, reason])).toEqual([
      ['component.cache_file_unusable', 'is not a plain file'],
      ['component.cache_not_written', 'EISDIR'],
    ]);
    expect(await readdir(path)).toEqual([`${KEY}.svidxc`]);
  });
});

describe('the folder', () => {
  const open = (path: string) => openCompileFolder({ path, logger: createMemoryLog().logger });

  test('is made where it does not exist, with its parents', async () => {
    const path = join(await tempFolder(), 'a/b');
    await open(path);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
  });

  test.each([0o755, 0o710, 0o701, 0o777, 0o1777])('that others can enter (mode %o) is refused', async (mode) => {
    const path = join(await tempFolder(), 'cache');
    await mkdir(path);
    await chmod(path, mode);
    expect(await refusal(open(path))).toMatchObject({
      code: 'config_invalid',
      message: `the folder for compiled components, ${path}, can be entered by others (mode 0700 is expected)`,
    });
    expect(await readdir(path)).toEqual([]);
  });

  test('that is a link is refused, also with a slash behind it', async () => {
    const parent = await tempFolder();
    await mkdir(join(parent, 'real'), { mode: 0o700 });
    await symlink('real', join(parent, 'link'));
    for (const path of [join(parent, 'link'), `${join(parent, 'link')}/`]) {
      expect((await refusal(open(path))).message).toContain('is not a folder (a link is none)');
    }
  });

  test.runIf(process.getuid?.() === 0)('of another user is refused', async () => {
    const path = join(await tempFolder(), 'cache');
    await mkdir(path, { mode: 0o700 });
    const { chown } = await import('node:fs/promises');
    await chown(path, 65_534, 65_534);
    expect((await refusal(open(path))).message).toContain('belongs to the user 65534, not to 0');
    expect(await readdir(path)).toEqual([]);
  });

  test('that is a file, or below one, is refused', async () => {
    const parent = await tempFolder();
    await writeFile(join(parent, 'file'), '');
    for (const path of [join(parent, 'file'), join(parent, 'file/cache')]) {
      expect(await refusal(open(path))).toMatchObject({ code: 'config_invalid' });
    }
  });

  test('may go away: then nothing is loaded or stored, and that is said', async () => {
    const { path, folder, log } = await filledFolder();
    await rm(path, { recursive: true });
    expect(await folder.load(KEY)).toBeUndefined();
    await folder.store(KEY, component);
    expect(log.entries()).toMatchObject([{ event: 'component.cache_not_written', folder: path, reason: 'ENOENT' }]);
  });
});

describe('the folder stays small', () => {
  const keyOf = (number: number): string => number.toString(16).padStart(64, '0');

  /** Stores so many, each used a minute after the one before. */
  async function storeMany({ path, folder }: OpenFolder, many: number): Promise<void> {
    for (let number = 1; number <= many; number += 1) {
      await folder.store(keyOf(number), component);
      const minutes = 1_000_000 + number * 60;
      await utimes(fileOf(path, keyOf(number)), minutes, minutes).catch(() => {});
    }
  }

  test('in number: the one unused for longest goes, whenever it was stored', async () => {
    const opened = await openFolder({ maxFiles: 3 });
    await storeMany(opened, 3);
    expect(await opened.folder.load(keyOf(1))).toBeDefined();
    await opened.folder.store(keyOf(4), component);
    expect((await readdir(opened.path)).toSorted()).toEqual([1, 3, 4].map((number) => `${keyOf(number)}.svidxc`));
  });

  test('in bytes', async () => {
    const size = (await encodeTranslated(component, KEY)).length;
    const opened = await openFolder({ maxBytes: size * 2.5 });
    await storeMany(opened, 5);
    expect(await readdir(opened.path)).toHaveLength(2);
    expect(await opened.folder.load(keyOf(5))).toBeDefined();
  });

  test('one that is too large alone is not stored, and costs the others nothing', async () => {
    const size = (await encodeTranslated(other, KEY)).length;
    const opened = await openFolder({ maxBytes: size });
    await opened.folder.store(KEY, other);
    await opened.folder.store(OTHER_KEY, { ...component, source: 'x'.repeat(size) });
    expect(await readdir(opened.path)).toEqual([`${KEY}.svidxc`]);
    expect(opened.log.lines).toEqual([]);
  });

  test('and free of what a process left behind; what is not its own stays', async () => {
    const { path, folder } = await openFolder();
    const staged = (digit: string): string => `${digit.repeat(8)}-1111-4111-8111-${digit.repeat(12)}.staged`;
    for (const name of [staged('1'), staged('2'), 'README', 'x.staged']) await writeFile(join(path, name), '');
    for (const name of [staged('1'), 'README', 'x.staged']) await utimes(join(path, name), 1, 1);
    await folder.store(KEY, component);
    expect((await readdir(path)).toSorted()).toEqual([staged('2'), 'README', `${KEY}.svidxc`, 'x.staged'].toSorted());
  });
});

test('many who store, load and evict at the same time never see half a file', async () => {
  const { path, log } = await openFolder();
  const folders = await Promise.all(
    Array.from({ length: 4 }, () => openCompileFolder({ path, logger: log.logger, maxFiles: 2 })),
  );
  const keys = [KEY, OTHER_KEY, 'ef'.repeat(32)];
  const rounds = Array.from({ length: 60 }, (_, round) => round);
  await Promise.all(
    rounds.map(async (round) => {
      const folder = folders[round % folders.length];
      const key = keys[round % keys.length] ?? KEY;
      if (round % 2 === 0) await folder?.store(key, component);
      const loaded = await folder?.load(key);
      if (loaded !== undefined) expect(loaded.source).toBe(component.source);
    }),
  );
  expect(log.lines).toEqual([]);
  expect((await readdir(path)).length).toBeLessThanOrEqual(2);
});
