import { execFile } from 'node:child_process';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createFileJwtBundleSource } from '../../../src/identity/bundle-file/jwt-bundle-source.ts';
import { TrustDomain } from '../../../src/spiffe/trust-domain.ts';
import { createMemoryLog } from '../../fakes/log.ts';
import { createRecordingClock } from '../../fakes/recording-clock.ts';
import { bundleDocument } from '../../support/bundle-endpoint.ts';
import { publicJwk } from '../../support/signing-keys.ts';
import { tempFolder } from '../../support/temp.ts';

const POLL_MS = 2_000;

/** A plain JWK Set as SPIRE writes it: no `use`. */
function jwkSet(...kids: string[]): string {
  return JSON.stringify({ keys: kids.map((kid) => ({ kid, ...publicJwk(`example.org/ec-p256-${kid}`) })) });
}

/** A source that watches a file, which holds this (or is not there), once it has looked at it. */
async function watch(content: string | undefined) {
  const folder = await tempFolder();
  const path = join(folder, 'bundle.json');
  if (content !== undefined) await writeFile(path, content);
  const clock = createRecordingClock();
  const log = createMemoryLog();
  const source = createFileJwtBundleSource({
    trustDomain: TrustDomain.parse('example.org'),
    path,
    clock,
    logger: log.logger,
  });
  onTestFinished(source.close);
  await clock.nextDelay();
  return {
    folder,
    path,
    source,
    clock,
    keys: () => source.get(TrustDomain.parse('example.org'))?.authorities.map(({ keyId }) => keyId),
    logged: (event: string) => log.entries().filter((entry) => entry['event'] === event),
    async poll() {
      await clock.advance(POLL_MS);
      expect(await clock.nextDelay()).toBe(POLL_MS);
    },
    /** Puts a new file in the place of the old one, whole. */
    async replace(text: string) {
      await writeFile(join(folder, 'new'), text);
      await rename(join(folder, 'new'), path);
    },
  };
}

describe('a file is taken', () => {
  test.each([
    ['a JWK Set', jwkSet('a', 'b'), ['a', 'b']],
    ['an OIDC key set', jwkSet('a').replaceAll('"kid"', '"use":"sig","kid"'), ['a']],
    ['a SPIFFE bundle', bundleDocument(['a']), ['a']],
    ['a SPIFFE bundle, whose keys without use do not count', jwkSet('a').replace('{', '{"spiffe_sequence":1,'), []],
    ['an empty set, which trusts nothing', '{"keys":[]}', []],
  ])('%s', async (_, content, expected) => {
    const { keys, source } = await watch(content);
    expect(keys()).toEqual(expected);
    expect(source.health().state).toBe(expected.length === 0 ? 'down' : 'up');
  });

  test('through a link, and when the link is turned to another file (as ConfigMaps are)', async () => {
    const { folder, path, poll, keys } = await watch(undefined);
    await writeFile(join(folder, 'one'), jwkSet('a'));
    await writeFile(join(folder, 'two'), jwkSet('b'));
    await symlink('one', path);
    await poll();
    expect(keys()).toEqual(['a']);
    await symlink('two', join(folder, 'link'));
    await rename(join(folder, 'link'), path);
    await poll();
    expect(keys()).toEqual(['b']);
  });

  test('again when another one takes its place; the change is told once', async () => {
    const world = await watch(jwkSet('a'));
    let changes = 0;
    world.source.onChange(() => {
      changes += 1;
    });
    await world.poll();
    await world.replace(jwkSet('b'));
    expect(world.keys()).toEqual(['a']);
    await world.poll();
    await world.poll();
    expect([world.keys(), changes]).toEqual([['b'], 1]);
    expect(world.source.health()).toEqual({
      state: 'up',
      reason: 'the bundle file is good',
      lastGoodAt: world.clock.now(),
    });
  });

  test('when it comes later than we do', async () => {
    const world = await watch(undefined);
    expect(world.source.health()).toEqual({
      state: 'down',
      code: 'bundle_unavailable',
      reason: `${world.path}: cannot be read (ENOENT)`,
    });
    await world.replace(jwkSet('a'));
    await world.poll();
    expect(world.keys()).toEqual(['a']);
  });
});

describe('the last good bundle stays, and the file is reported once, when it', () => {
  const bad: [string, (path: string) => Promise<unknown>, string, RegExp][] = [
    ['is gone', (path) => rm(path), 'bundle_unavailable', /ENOENT/],
    ['is a folder', async (path) => [await rm(path), await mkdir(path)], 'bundle_invalid', /is not a file/],
    [
      'is a pipe',
      async (path) => [await rm(path), await promisify(execFile)('mkfifo', [path])],
      'bundle_invalid',
      /is not a file/,
    ],
    ['is half-written', (path) => writeFile(path, jwkSet('b').slice(0, -1)), 'bundle_invalid', /must be a JSON object/],
    ['is empty', (path) => writeFile(path, ''), 'bundle_invalid', /must be a JSON object/],
    ['is not a key set', (path) => writeFile(path, '{"a":1}'), 'bundle_invalid', /with an array "keys"/],
    ['is not UTF-8', (path) => writeFile(path, Buffer.of(0x7b, 0xff)), 'bundle_invalid', /must be a JSON object/],
    ['is too large', (path) => writeFile(path, ' '.repeat(1024 * 1024 + 1)), 'bundle_invalid', /is larger than/],
  ];

  test.each(bad)('%s', async (_, spoil, code, reason) => {
    const world = await watch(jwkSet('a'));
    const goodAt = world.clock.now();
    await spoil(world.path);
    for (let polls = 0; polls < 3; polls += 1) await world.poll();
    expect(world.keys()).toEqual(['a']);
    expect(world.source.health()).toEqual({
      state: 'degraded',
      code,
      reason: expect.stringMatching(reason),
      lastGoodAt: goodAt,
    });
    expect(world.logged('bundles.bad_file')).toMatchObject([{ level: 'error', error: { code } }]);
    await rm(world.path, { recursive: true, force: true });
    await world.replace(jwkSet('c'));
    await world.poll();
    expect([world.keys(), world.source.health().state]).toEqual([['c'], 'up']);
  });

  test('is bad and then what it was before: all is well again', async () => {
    const world = await watch(jwkSet('a'));
    await rename(world.path, `${world.path}.away`);
    await world.poll();
    expect(world.source.health().state).toBe('degraded');
    await rename(`${world.path}.away`, world.path);
    await world.poll();
    expect(world.source.health().state).toBe('up');
    expect(world.logged('bundles.changed')).toHaveLength(1);
  });
});

test('close ends the watching', async () => {
  const world = await watch(jwkSet('a'));
  world.source.close();
  world.source.close();
  await world.replace(jwkSet('b'));
  await world.clock.advance(60_000);
  expect([world.keys(), world.clock.timers]).toEqual([['a'], 0]);
});
