import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { staticFilePath, writeStaticFile } from '../../src/commands/static-files.ts';
import { startFakeSpire } from '../fakes/trust-domain.ts';
import { refusal } from '../support/errors.ts';
import { eventually } from '../support/eventually.ts';
import { setup } from '../support/serve-setup.ts';
import { type Running, startSvidx, svidx } from '../support/svidx.ts';
import { tempFolder } from '../support/temp.ts';

const DISCOVERY = '.well-known/openid-configuration';

/** Every file below a folder, by its path from there. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

const read = (folder: string, file: string): Promise<string> => readFile(join(folder, file), 'utf8');

function exportArgs(config: string, out: string, ...more: string[]): string[] {
  return ['issuer', 'export', '-c', config, '--out', out, ...more];
}

function watch(config: string, out: string): Running {
  const running = startSvidx(exportArgs(config, out, '--watch'));
  onTestFinished(async () => void (await running.end()));
  return running;
}

describe('issuer export', () => {
  test('writes the bytes that the issuer serves, and says how to serve them', async () => {
    const spire = await startFakeSpire();
    const place = await setup({ spire: `unix://${spire.socketPath}` });
    const out = join(place.folder, 'public');
    const { code, stdout, stderr } = await svidx(exportArgs(place.config, out));
    expect(code).toBe(0);
    expect(await filesIn(out)).toEqual([DISCOVERY, 'keys']);
    expect(stdout.trimEnd().split('\n')).toEqual([join(out, DISCOVERY), join(out, 'keys')]);
    for (const file of [DISCOVERY, 'keys']) {
      expect(stderr).toContain(
        `"file":"${join(out, file)}","contentType":"application/json","cacheControl":"public, max-age=300"`,
      );
    }

    const served = startSvidx(['serve', '-c', place.config, '--json']);
    onTestFinished(async () => void (await served.end()));
    const [, http = ''] = await served.logged(/"event":"service\.ready".*"http":"([^"]+)"/);
    for (const file of [DISCOVERY, 'keys']) {
      expect(await read(out, file)).toBe(await (await fetch(`${http}/${file}`)).text());
    }
  });

  test('writes them at the paths that their URLs have', async () => {
    const spire = await startFakeSpire();
    const { config, folder } = await setup({ spire: `unix://${spire.socketPath}` });
    const text = await readFile(config, 'utf8');
    const issuer = 'issuer: https://oidc.example.org/td/a%20b\njwksUri: https://keys.example.net/jwks/td.json';
    await writeFile(config, text.replace(/^issuer:.*$/m, issuer));
    const out = join(folder, 'public');
    expect((await svidx(exportArgs(config, out))).code).toBe(0);
    expect(await filesIn(out)).toEqual(['jwks/td.json', `td/a b/${DISCOVERY}`, 'td/a b/keys']);
    expect(JSON.parse(await read(out, `td/a b/${DISCOVERY}`))).toMatchObject({
      jwks_uri: 'https://keys.example.net/jwks/td.json',
    });
    expect(await read(out, 'jwks/td.json')).toBe(await read(out, 'td/a b/keys'));
  });

  test('leaves files that are right already alone, and others in the folder', async () => {
    const spire = await startFakeSpire();
    const { config, folder } = await setup({ spire: `unix://${spire.socketPath}` });
    await writeFile(join(folder, 'index.html'), 'mine');
    expect((await svidx(exportArgs(config, folder))).code).toBe(0);
    const before = await stat(join(folder, 'keys'));
    expect((await svidx(exportArgs(config, folder))).stderr).not.toContain('issuer.exported');
    expect((await stat(join(folder, 'keys'))).ino).toBe(before.ino);
    expect(await read(folder, 'index.html')).toBe('mine');
    expect(before.mode & 0o444).toBe(0o444);
  });

  test('ends with 1 when no key arrives in time, and writes nothing', async () => {
    const { config, folder } = await setup();
    const out = join(folder, 'public');
    const { code, stdout, stderr } = await svidx(exportArgs(config, out, '--timeout', '1s'));
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^svidx: bundle_unavailable: no key of example\.org arrived in time: /m);
    expect(await filesIn(out)).toEqual([]);
  });

  test('ends with 1 when it is asked to stop before there is a key', async () => {
    const { config, folder } = await setup();
    const running = watch(config, join(folder, 'public'));
    await running.logged(/"event":"bundles\.stream_ended"/);
    running.signal('SIGTERM');
    const { code, signal, stderr } = await running.finished();
    expect([code, signal]).toEqual([1, null]);
    expect(stderr).toContain('svidx: service_stopping: ended before the first key arrived');
    expect(await filesIn(join(folder, 'public'))).toEqual([]);
  });

  test.each([
    ['a file where a folder should be', 'a-file', 'ENOTDIR|EEXIST'],
    ['a folder where a file should be', 'a-folder', 'EISDIR|ENOTEMPTY'],
  ])('ends with 2 at %s, and leaves nothing half done', async (_, kind, problem) => {
    const spire = await startFakeSpire();
    const { config, folder } = await setup({ spire: `unix://${spire.socketPath}` });
    const out = join(folder, 'public');
    if (kind === 'a-file') await writeFile(out, 'mine');
    else await mkdir(join(out, 'keys/deep'), { recursive: true });
    const { code, stdout, stderr } = await svidx(exportArgs(config, out));
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(new RegExp(`svidx: usage_invalid: --out: .*cannot be written \\((${problem})\\)`));
    expect(await filesIn(out)).toEqual([]);
  });

  test.each([
    [['--timeout', '0s'], '--timeout: expected a duration of 1s to 1d'],
    [['--evil'], "unknown option '--evil'"],
  ])('refuses %j', async (more, problem) => {
    const { config, folder } = await setup();
    const { code, stderr } = await svidx(exportArgs(config, join(folder, 'public'), ...more));
    expect(code).toBe(2);
    expect(stderr).toContain(problem);
  });

  test.each([['-c', 'x'], ['--out', 'x'], []])('needs a configuration and a folder: %s', async (...args) => {
    const { code, stderr } = await svidx(['issuer', 'export', ...args]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/required option '(-c, --config <file>|--out <folder>)' not specified/);
  });

  test('has help with an example', async () => {
    const { code, stdout } = await svidx(['issuer', 'export', '--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Examples:\n {2}\$ svidx issuer export -c/);
  });
});

describe('issuer export --watch', () => {
  test('keeps the files current until it is asked to stop, and mends what was removed', async () => {
    const spire = await startFakeSpire();
    const { config, folder } = await setup({ spire: `unix://${spire.socketPath}` });
    const out = join(folder, 'public');
    const running = watch(config, out);
    await running.firstLine();
    const keyIds = async (): Promise<string[]> =>
      JSON.parse(await read(out, 'keys')).keys.map(({ kid }: { kid: string }) => kid);
    const before = await keyIds();
    expect(before).toHaveLength(1);
    await rm(join(out, DISCOVERY));
    await spire.authority.rotate();
    const after = await eventually(async () => {
      const ids = await keyIds();
      expect(ids).toHaveLength(2);
      return ids;
    });
    expect(after).toEqual(expect.arrayContaining(before));
    await eventually(async () => JSON.parse(await read(out, DISCOVERY)));
    running.signal('SIGTERM');
    expect(await running.finished()).toMatchObject({ code: 0, signal: null });
    expect(await filesIn(out)).toEqual([DISCOVERY, 'keys']);
  });

  test('keeps the files when SPIRE goes away', async () => {
    const spire = await startFakeSpire();
    const { config, folder } = await setup({ spire: `unix://${spire.socketPath}` });
    const out = join(folder, 'public');
    const running = watch(config, out);
    await running.firstLine();
    const before = await read(out, 'keys');
    await spire.close();
    await running.logged(/"event":"bundles\.stream_ended"/);
    expect(await read(out, 'keys')).toBe(before);
    expect(await running.end()).toMatchObject({ code: 0, signal: null });
    expect(await read(out, 'keys')).toBe(before);
  });

  test('goes on when a file cannot be written, says so, and tries again', async () => {
    const spire = await startFakeSpire();
    const { config, folder } = await setup({ spire: `unix://${spire.socketPath}` });
    const out = join(folder, 'public');
    const running = watch(config, out);
    await running.firstLine();
    await rm(join(out, 'keys'));
    await mkdir(join(out, 'keys/in-the-way'), { recursive: true });
    await spire.authority.rotate();
    await running.logged(/"event":"issuer\.export_failed"/);
    await rm(join(out, 'keys'), { recursive: true });
    await spire.authority.rotate();
    await eventually(async () => expect(JSON.parse(await read(out, 'keys')).keys).toHaveLength(3));
    expect(await running.end()).toMatchObject({ code: 0, signal: null });
  });
});

describe('a static file', () => {
  test('is always whole for who reads it', async () => {
    const file = join(await tempFolder(), 'keys');
    const contents = ['a', 'b'].map((letter) => Buffer.from(letter.repeat(200_000)));
    await writeStaticFile(file, Buffer.from('a'.repeat(200_000)));
    let writing = true;
    const reading = (async () => {
      const seen = new Set<number>();
      while (writing) seen.add(new Set(await readFile(file)).size * 1_000_000 + (await readFile(file)).length);
      return seen;
    })();
    for (let round = 0; round < 20; round += 1) await writeStaticFile(file, contents[round % 2] ?? Buffer.of());
    writing = false;
    expect(await reading).toEqual(new Set([1_200_000]));
    expect(await filesIn(join(file, '..'))).toEqual(['keys']);
  });

  test('is not written where that is not allowed, and nothing is left behind', async () => {
    const folder = await tempFolder();
    await writeFile(join(folder, 'keys'), 'old');
    const error = await refusal(writeStaticFile(join(folder, 'keys', 'deep'), Buffer.from('new')));
    expect(error).toMatchObject({ code: 'usage_invalid' });
    expect(await filesIn(folder)).toEqual(['keys']);
  });

  test.each([
    ['/keys', '/out/keys'],
    ['/td/.well-known/openid-configuration', '/out/td/.well-known/openid-configuration'],
    ['/a%20b/%C3%BC', '/out/a b/ü'],
    ['/a..b/..c', '/out/a..b/..c'],
  ])('of %s is %s', (path, file) => {
    expect(staticFilePath('/out', path)).toBe(file);
  });

  test.each(['/a%2Fb', '/a%2f..%2f..%2fb', '/%2e%2e/b', '/a//b', '/a/', '/a/%00', '/a%5Cb', '/%', '/%ff', '/.', '/'])(
    'cannot be for %s',
    async (path) => {
      expect(await refusal(() => staticFilePath('/out', path))).toMatchObject({ code: 'config_invalid' });
    },
  );
});
