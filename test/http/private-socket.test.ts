import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { lstatSync } from 'node:fs';
import { chmod, lstat, mkdir, readdir, rename, symlink, unlink, writeFile } from 'node:fs/promises';
import { connect, createServer, Server } from 'node:net';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { type Listener, listenOnPrivateSocket } from '../../src/http/listener.ts';
import { refusal } from '../support/errors.ts';
import { ask } from '../support/http.ts';
import { tempFolder } from '../support/temp.ts';

async function listenAt(path: string): Promise<Listener> {
  const listener = await listenOnPrivateSocket(path, systemClock);
  onTestFinished(listener.close);
  listener.handle((_request, response) => response.end('served'));
  return listener;
}

/** That the path cannot be had, for this reason, and that nothing is left behind in its folder. */
async function expectRefused(path: string, reason: string): Promise<void> {
  const before = await readdir(dirname(path)).catch(() => []);
  expect(await refusal(listenOnPrivateSocket(path, systemClock))).toMatchObject({
    code: 'config_invalid',
    message: `the private socket ${path}: ${reason}`,
  });
  expect(await readdir(dirname(path)).catch(() => [])).toEqual(before);
}

async function modeOf(path: string): Promise<string> {
  return ((await lstat(path)).mode & 0o777).toString(8);
}

/** A socket file that nobody listens on, as a killed service leaves it: who made it finds nothing to remove. */
async function makeStaleSocket(path: string): Promise<void> {
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     const server = require('node:net').createServer().listen(workerData, () => parentPort.postMessage('listening'));`,
    { eval: true, workerData: `${path}.original` },
  );
  await once(worker, 'message');
  await rename(`${path}.original`, path);
  await worker.terminate();
}

describe('the file', () => {
  test('is a socket that only its owner can open, in a folder that only its owner can enter', async () => {
    const path = join(await tempFolder(), 'a/b/broker.sock');
    const listener = await listenAt(path);
    expect(listener.url).toBe(`unix:${path}`);
    expect((await lstat(path)).isSocket()).toBe(true);
    expect([await modeOf(path), await modeOf(dirname(path)), await modeOf(dirname(dirname(path)))]).toEqual([
      '600',
      '700',
      '700',
    ]);
    expect(await ask(listener.url, { path: '/' })).toMatchObject({ status: 200, text: 'served' });
  });

  test('is the same whatever the umask is', async () => {
    for (const mask of [0o000, 0o022, 0o777]) {
      const path = join(await tempFolder(), 'broker.sock');
      const before = process.umask(mask & 0o077);
      try {
        await listenAt(path);
      } finally {
        process.umask(before);
      }
      expect(await modeOf(path)).toBe('600');
    }
  });

  test('keeps the mode of a folder that is there already', async () => {
    const folder = await tempFolder();
    await chmod(folder, 0o755);
    await listenAt(join(folder, 'broker.sock'));
    expect(await modeOf(folder)).toBe('755');
    expect(await modeOf(join(folder, 'broker.sock'))).toBe('600');
  });

  test('has no moment in which others could open it: it is made in a closed folder and moved when it is closed itself', async () => {
    const folder = await tempFolder();
    await chmod(folder, 0o755);
    const path = join(folder, 'broker.sock');
    const seen: string[] = [];
    // Node tells of the listening socket before anybody else can act on it.
    const listening = channel('tracing:net.server.listen:asyncEnd');
    const look = (message: unknown): void => {
      const where = addressOf(message);
      seen.push((lstatSync(dirname(where)).mode & 0o777).toString(8));
      expect(where).not.toBe(path);
      expect(lstatSync(path, { throwIfNoEntry: false })).toBeUndefined();
    };
    listening.subscribe(look);
    const before = process.umask(0);
    try {
      await listenAt(path);
    } finally {
      process.umask(before);
      listening.unsubscribe(look);
    }
    expect(seen).toEqual(['700']);
    expect(await readdir(folder)).toEqual(['broker.sock']);
  });

  test('goes when the listener closes, also when that is asked for twice', async () => {
    const path = join(await tempFolder(), 'broker.sock');
    const listener = await listenAt(path);
    await Promise.all([listener.close(), listener.close()]);
    expect(await readdir(dirname(path))).toEqual([]);
    await expect(ask(listener.url, { path: '/' })).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('may be gone already when the listener closes', async () => {
    const path = join(await tempFolder(), 'broker.sock');
    const listener = await listenAt(path);
    await unlink(path);
    await listener.close();
  });
});

describe('a path that is taken', () => {
  test('a socket that nobody listens on is replaced', async () => {
    const path = join(await tempFolder(), 'broker.sock');
    await makeStaleSocket(path);
    const [error] = await once(connect(path), 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    const listener = await listenAt(path);
    expect(await ask(listener.url, { path: '/' })).toMatchObject({ text: 'served' });
    expect(await modeOf(path)).toBe('600');
  });

  test('a live one is refused and goes on undisturbed', async () => {
    const path = join(await tempFolder(), 'broker.sock');
    const first = await listenAt(path);
    const inode = (await lstat(path)).ino;
    await expectRefused(path, 'another service is listening there');
    expect((await lstat(path)).ino).toBe(inode);
    expect(await ask(first.url, { path: '/' })).toMatchObject({ text: 'served' });
  });

  test('a live one that does not speak HTTP is refused too', async () => {
    const path = join(await tempFolder(), 'broker.sock');
    const other = createServer((socket) => socket.destroy());
    onTestFinished(() => void other.close());
    await new Promise<void>((resolve) => other.listen(path, resolve));
    await expectRefused(path, 'another service is listening there');
  });

  test('one that is too busy to take a connection is alive', async () => {
    const path = join(await tempFolder(), 'broker.sock');
    // Listens in a thread that then never runs again, so that the queue of connections fills up.
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       require('node:net').createServer().listen({ path: workerData, backlog: 1 }, () => {
         parentPort.postMessage('listening');
         Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
       });`,
      { eval: true, workerData: path },
    );
    onTestFinished(() => worker.terminate().then(() => {}));
    await once(worker, 'message');
    for (let full = false; !full; ) {
      const socket = connect(path);
      onTestFinished(() => void socket.destroy());
      full = await new Promise<boolean>((resolve) => {
        socket.once('connect', () => resolve(false));
        socket.once('error', () => resolve(true));
      });
    }
    await expectRefused(path, 'another service is listening there');
  });

  test('a file, a folder and a symbolic link are refused and stay as they are', async () => {
    const folder = await tempFolder();
    const [file, subfolder, link] = ['file', 'folder', 'link'].map((name) => join(folder, name));
    if (file === undefined || subfolder === undefined || link === undefined) throw new Error('three names');
    await writeFile(file, 'content');
    await mkdir(subfolder);
    await symlink('/nowhere', link);
    for (const path of [file, subfolder, link]) await expectRefused(path, 'a file of that name is there');
    expect((await readdir(folder)).sort()).toEqual(['file', 'folder', 'link']);
  });

  test('a folder that is a file is refused', async () => {
    const file = join(await tempFolder(), 'file');
    await writeFile(file, '');
    const path = join(file, 'broker.sock');
    expect(await refusal(listenOnPrivateSocket(path, systemClock))).toMatchObject({
      code: 'config_invalid',
      message: `cannot listen on ${path} (EEXIST)`,
    });
    const deeper = join(file, 'deeper/broker.sock');
    expect(await refusal(listenOnPrivateSocket(deeper, systemClock))).toMatchObject({
      message: `cannot listen on ${deeper} (ENOTDIR)`,
    });
  });
});

describe('the length of a path (sun_path: 107 bytes)', () => {
  const tooLong = 'the path is too long for a unix socket';

  test('the longest that fits serves', async () => {
    const folder = await tempFolder();
    // The socket is made under a name of its own in a folder beside it, which must fit as well.
    const filler = 'x'.repeat(107 - Buffer.byteLength(folder) - '/'.length - '/.svidx-XXXXXX/s'.length);
    const path = join(folder, filler, 'broker.sock');
    const listener = await listenAt(path);
    expect(await ask(listener.url, { path: '/' })).toMatchObject({ text: 'served' });
    await expectRefused(join(folder, `${filler}x`, 'broker.sock'), tooLong);
    expect(await readdir(folder)).toEqual([filler]);
  });

  test('bytes count, not characters', async () => {
    const folder = await tempFolder();
    const characters = '東'.repeat(30);
    expect(join(folder, characters).length).toBeLessThan(107);
    await expectRefused(join(folder, characters), tooLong);
    await expectRefused(join(folder, 'x'.repeat(100)), tooLong);
  });
});

/** The path in a message of Node's own diagnostics about a listening server. */
function addressOf(message: unknown): string {
  const server = typeof message === 'object' && message !== null && 'server' in message ? message.server : undefined;
  const address = server instanceof Server ? server.address() : undefined;
  if (typeof address !== 'string') throw new Error('not a unix socket');
  return address;
}
