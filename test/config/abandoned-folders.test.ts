import { chmod, lstat, mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { removeAbandonedFolders } from '../../src/config/abandoned-folders.ts';
import { makeAbandoned, makeOld } from '../support/abandoned.ts';
import { tempFolder } from '../support/temp.ts';

const PREFIX = '.svidx-';

async function setup() {
  const parent = await tempFolder();
  const { uid } = await lstat(parent);
  return {
    parent,
    uid,
    remove: (changes: { uid?: number; parent?: string } = {}) =>
      removeAbandonedFolders({ parent, prefix: PREFIX, socketName: 's', uid, clock: systemClock, ...changes }),
    /** A folder whose owner is dead, with these files beside its socket. */
    abandoned: (name = `${PREFIX}aB3dE6`, files: readonly string[] = []) =>
      makeAbandoned(join(parent, name), 's', files),
  };
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

describe('a folder is removed', () => {
  test.each([
    ['with the socket of one who was killed', []],
    ['with files beside it', ['models', 'blobs~']],
  ])('%s', async (_, files) => {
    const { abandoned, remove } = await setup();
    const folder = await abandoned(undefined, files);
    expect(await remove()).toEqual([folder]);
    expect(await isThere(folder)).toBe(false);
  });

  test('that is empty', async () => {
    const { parent, remove } = await setup();
    const folder = join(parent, `${PREFIX}aaaaaa`);
    await mkdir(folder, { mode: 0o700 });
    await makeOld(folder);
    expect(await remove()).toEqual([folder]);
  });

  test('among others that are left alone, each for itself', async () => {
    const { parent, abandoned, remove } = await setup();
    const [first, , last] = [
      await abandoned(`${PREFIX}aaaaaa`),
      await abandoned(`${PREFIX}bbbbbb.`),
      await abandoned(`${PREFIX}cccccc`),
    ];
    expect((await remove()).toSorted()).toEqual([first, last]);
    expect(await isThere(join(parent, `${PREFIX}bbbbbb.`))).toBe(true);
  });
});

describe('a folder is left alone, with all that is in it,', () => {
  const cases: readonly (readonly [string, (folder: string, parent: string) => Promise<unknown>])[] = [
    ['where somebody listens', (folder) => listenAt(folder)],
    ['that was made, or written to, a moment ago', (folder) => utimes(folder, new Date(), new Date())],
    ['whose time is yet to come', (folder) => utimes(folder, new Date(), new Date(Date.now() + 60_000))],
    ['that others can read', (folder) => chmod(folder, 0o750)],
    ['that others can enter', (folder) => chmod(folder, 0o701)],
    ['without a socket, with a file', (folder) => rm(join(folder, 's')).then(() => makeOld(folder))],
    ['with a folder in it', (folder) => mkdir(join(folder, 'more')).then(() => makeOld(folder))],
    [
      'with a symbolic link in it',
      (folder) => symlink('/etc/hostname', join(folder, 'link')).then(() => makeOld(folder)),
    ],
    [
      'with a file in place of the socket',
      async (folder) => {
        await rm(join(folder, 's'));
        await writeFile(join(folder, 's'), '');
        await makeOld(folder);
      },
    ],
    [
      'with a symbolic link in place of the socket',
      async (folder, parent) => {
        await rename(join(folder, 's'), join(parent, 'elsewhere'));
        await symlink(join(parent, 'elsewhere'), join(folder, 's'));
        await makeOld(folder);
      },
    ],
  ];

  test.each(cases)('%s', async (_, change) => {
    const { parent, abandoned, remove } = await setup();
    const folder = await abandoned(undefined, ['models']);
    await change(folder, parent);
    expect(await remove()).toEqual([]);
    expect(await isThere(join(folder, 'models'))).toBe(true);
  });

  test('that is of another user', async () => {
    const { abandoned, remove, uid } = await setup();
    const folder = await abandoned();
    expect(await remove({ uid: uid + 1 })).toEqual([]);
    expect(await isThere(folder)).toBe(true);
    expect(await remove()).toEqual([folder]);
  });

  test.each([
    '.svidx-',
    '.svidx-aaaaa',
    '.svidx-aaaaaaa',
    '.svidx-aaaa a',
    '.svidx-aaa..a',
    'svidx-aaaaaa',
    '.SVIDX-aaaaaa',
  ])('that is called %j', async (name) => {
    const { abandoned, remove } = await setup();
    const folder = await abandoned(name);
    expect(await remove()).toEqual([]);
    expect(await isThere(folder)).toBe(true);
  });

  test('that a symbolic link of such a name leads to, and so is the link', async () => {
    const { parent, abandoned, remove } = await setup();
    const folder = await abandoned('elsewhere');
    await symlink(folder, join(parent, `${PREFIX}aaaaaa`));
    expect(await remove()).toEqual([]);
    expect(await isThere(join(folder, 's'))).toBe(true);
    expect((await lstat(join(parent, `${PREFIX}aaaaaa`))).isSymbolicLink()).toBe(true);
  });

  test('that is a file', async () => {
    const { parent, remove } = await setup();
    const file = join(parent, `${PREFIX}aaaaaa`);
    await writeFile(file, '', { mode: 0o700 });
    await makeOld(file);
    expect(await remove()).toEqual([]);
    expect(await isThere(file)).toBe(true);
  });
});

test('nothing is removed from a folder that is not there', async () => {
  const { remove, parent } = await setup();
  expect(await remove({ parent: join(parent, 'nothing') })).toEqual([]);
});

/** Takes the place of the dead owner. */
async function listenAt(folder: string): Promise<void> {
  await rm(join(folder, 's'));
  const server = createServer((connection) => connection.destroy());
  await new Promise<void>((resolve) => server.listen(join(folder, 's'), resolve));
  onTestFinished(() => void server.close());
  await makeOld(folder);
}
