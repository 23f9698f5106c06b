import { mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type WatchedPolicies, watchPolicies } from '../../src/config/policy-folder.ts';
import { evaluateAudience } from '../../src/policy/evaluate.ts';
import { createFakeClock, type FakeClock } from '../fakes/clock.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';
import { refusal } from '../support/errors.ts';
import { EXAMPLE_ORG } from '../support/policies.ts';
import { componentsOf, folderOf, policy } from '../support/policy-folders.ts';

/** Seconds since 1970. */
const LONG_AGO = 1_000_000_000;

interface Watched {
  readonly policies: WatchedPolicies;
  readonly clock: FakeClock;
  readonly log: MemoryLog;
  /** The components in force. */
  components(): string[];
  /** What was logged since the last call. */
  events(): unknown[];
}

async function watch(folder: string): Promise<Watched> {
  const clock = createFakeClock();
  const log = createMemoryLog();
  const policies = await watchPolicies({ folder, trustDomain: EXAMPLE_ORG, clock, logger: log.logger });
  onTestFinished(() => policies.close());
  return {
    policies,
    clock,
    log,
    components: () => componentsOf(policies.current()),
    events: () => log.lines.splice(0).map((line) => JSON.parse(line).event),
  };
}

describe('a folder that is watched', () => {
  const changes: readonly (readonly [string, (folder: string) => Promise<void>, string[]])[] = [
    ['a file is added', (folder) => writeFile(join(folder, 'c.yaml'), policy('third')), ['first', 'second', 'third']],
    ['a file is removed', (folder) => rm(join(folder, 'b.yaml')), ['first']],
    ['a file is changed', (folder) => writeFile(join(folder, 'b.yaml'), policy('other')), ['first', 'other']],
    ['a file is renamed', (folder) => rename(join(folder, 'b.yaml'), join(folder, '0.yaml')), ['second', 'first']],
    [
      'a file is replaced by another',
      async (folder) => {
        await writeFile(join(folder, '.new'), policy('fresh'));
        await rename(join(folder, '.new'), join(folder, 'b.yaml'));
      },
      ['first', 'fresh'],
    ],
    [
      'a file is changed to one of the same size, and its time set back',
      async (folder) => {
        await writeFile(join(folder, 'b.yaml'), policy('secone'));
        await utimes(join(folder, 'b.yaml'), LONG_AGO, LONG_AGO);
      },
      ['first', 'secone'],
    ],
    [
      'the whole folder is replaced',
      async (folder) => {
        await rename(folder, `${folder}.old`);
        await mkdir(folder);
        await writeFile(join(folder, 'z.yaml'), policy('last'));
      },
      ['last'],
    ],
  ];

  test.each(changes)('is compiled anew when %s', async (_, change, expected) => {
    const folder = await folderOf({ 'a.yaml': policy('first'), 'b.yaml': policy('second') });
    await utimes(join(folder, 'b.yaml'), LONG_AGO, LONG_AGO);
    const watched = await watch(folder);
    const before = watched.policies.current();
    await change(folder);
    await watched.policies.check();
    expect(watched.components()).toEqual(expected);
    expect(watched.events()).toEqual(['policies.changed']);
    // Whoever still works with the old set sees the old set.
    expect(componentsOf(before)).toEqual(['first', 'second']);
  });

  test('keeps the very same set while nothing changes', async () => {
    const folder = await folderOf({ 'a.yaml': policy('api'), 'note.txt': '' });
    const { policies, events } = await watch(folder);
    const before = policies.current();
    await writeFile(join(folder, 'note.txt'), 'changed');
    await writeFile(join(folder, '.b.yaml.swp'), 'broken: [');
    await policies.check();
    expect(policies.current()).toBe(before);
    expect(events()).toEqual([]);
  });

  test('is looked at every two seconds, one look after the other', async () => {
    const folder = await folderOf({ 'a.yaml': policy('api') });
    const { clock, components } = await watch(folder);
    for (const name of ['second', 'third', 'fourth']) {
      await writeFile(join(folder, 'a.yaml'), policy(name));
      await clock.advance(1_999);
      expect(components()).not.toEqual([name]);
      await clock.advance(1);
      await clock.waitForTimers(1);
      expect(components()).toEqual([name]);
      expect(clock.timers).toBe(1);
    }
  });

  test('is compiled once, however many look at it at the same time', async () => {
    const folder = await folderOf({ 'a.yaml': policy('api') });
    const { policies, events } = await watch(folder);
    await writeFile(join(folder, 'a.yaml'), policy('other'));
    await Promise.all([policies.check(), policies.check(), policies.check()]);
    expect(events()).toEqual(['policies.changed']);
  });

  test('is left alone once the watch is closed', async () => {
    const folder = await folderOf({ 'a.yaml': policy('api') });
    const { clock, policies } = await watch(folder);
    policies.close();
    expect(clock.timers).toBe(0);
    const { policies: closedDuringLook, clock: itsClock } = await watch(folder);
    await itsClock.advance(2_000);
    closedDuringLook.close();
    await closedDuringLook.check();
    expect(itsClock.timers).toBe(0);
  });

  test('takes back what it granted', async () => {
    const folder = await folderOf({ 'a.yaml': policy('api', 'first') });
    const { policies } = await watch(folder);
    const allowed = (audience: string): boolean =>
      evaluateAudience(policies.current(), { component: 'api' }, [audience]).allowed;
    expect([allowed('first'), allowed('second')]).toEqual([true, false]);
    await writeFile(join(folder, 'a.yaml'), policy('api', 'second'));
    await policies.check();
    expect([allowed('first'), allowed('second')]).toEqual([false, true]);
  });
});

describe('a change that is no good', () => {
  const changes: readonly (readonly [string, (folder: string) => Promise<void>, RegExp])[] = [
    ['a broken file', (folder) => writeFile(join(folder, 'b.yaml'), 'component: ['), /b\.yaml:1: /],
    ['a duplicate', (folder) => writeFile(join(folder, 'b.yaml'), policy('api')), /already defined at .*a\.yaml:1/],
    ['an empty file', (folder) => writeFile(join(folder, 'a.yaml'), ''), /a\.yaml:1: the file is empty/],
    ['no file left', (folder) => rm(join(folder, 'a.yaml')), /expected at least one policy file/],
    ['no folder left', (folder) => rm(folder, { recursive: true }), /cannot be read \(ENOENT\)/],
    ['a file too large', (folder) => writeFile(join(folder, 'b.yaml'), '#'.repeat(300_000)), /is larger than/],
    ['a link that leads nowhere', (folder) => symlink('nowhere', join(folder, 'b.yaml')), /b\.yaml: cannot be read/],
  ];

  test.each(changes)('leaves the last good set in force, and is logged once: %s', async (_, change, message) => {
    const folder = await folderOf({ 'a.yaml': policy('api') });
    const { policies, log, events } = await watch(folder);
    const good = policies.current();
    await change(folder);
    for (let look = 0; look < 3; look += 1) await policies.check();
    expect(policies.current()).toBe(good);
    expect(log.entries()).toMatchObject([
      { level: 'error', error: { code: 'policy_invalid', message: expect.stringMatching(message) } },
    ]);
    expect(events()).toEqual(['policies.reload_failed']);

    await mkdir(folder, { recursive: true });
    await rm(join(folder, 'b.yaml'), { force: true });
    await writeFile(join(folder, 'a.yaml'), policy('mended'));
    await policies.check();
    expect(componentsOf(policies.current())).toEqual(['mended']);
    expect(events()).toEqual(['policies.changed']);
  });

  test('is logged again when it is another', async () => {
    const folder = await folderOf({ 'a.yaml': policy('api') });
    const { policies, events } = await watch(folder);
    for (const text of ['component: [', 'component: {']) {
      await writeFile(join(folder, 'a.yaml'), text);
      await policies.check();
    }
    expect(events()).toEqual(['policies.reload_failed', 'policies.reload_failed']);
  });

  test('ends the start of a service, which has no last good set', async () => {
    const folder = await folderOf({ 'a.yaml': 'component: [' });
    const options = { folder, trustDomain: EXAMPLE_ORG, clock: createFakeClock(), logger: createMemoryLog().logger };
    expect((await refusal(watchPolicies(options))).code).toBe('policy_invalid');
    expect(options.clock.timers).toBe(0);
  });
});

/** As the kubelet mounts a ConfigMap: files are links into `..data`, itself a link that is swapped in one step. */
async function configMap(generation: string): Promise<{ folder: string; swap(generation: string): Promise<void> }> {
  const folder = await folderOf({});
  const swap = async (next: string): Promise<void> => {
    await mkdir(join(folder, `..${next}`));
    for (const name of ['a', 'b']) await writeFile(join(folder, `..${next}`, `${name}.yaml`), policy(name, next));
    await symlink(`..${next}`, join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  await swap(generation);
  for (const name of ['a', 'b']) await symlink(`..data/${name}.yaml`, join(folder, `${name}.yaml`));
  return { folder, swap };
}

describe('a mounted ConfigMap', () => {
  test('is compiled anew when it is swapped', async () => {
    const { folder, swap } = await configMap('one');
    const { policies, events } = await watch(folder);
    await swap('two');
    await policies.check();
    expect(policies.current().components.map(({ audiences }) => audiences)).toEqual([['two'], ['two']]);
    expect(events()).toEqual(['policies.changed']);
  });

  test('is never seen half swapped, however often it is swapped while it is read', async () => {
    const { folder, swap } = await configMap('g0');
    const { policies } = await watch(folder);
    const seen = new Set<string>();
    let swapping = true;
    const swaps = (async () => {
      for (let generation = 1; generation <= 150; generation += 1) await swap(`g${generation}`);
      swapping = false;
    })();
    while (swapping) {
      await policies.check();
      seen.add(
        policies
          .current()
          .components.flatMap(({ audiences }) => audiences)
          .join('+'),
      );
    }
    await swaps;
    await policies.check();
    for (const pair of seen) expect(pair).toMatch(/^(g\d+)\+\1$/);
    expect(policies.current().components.map(({ audiences }) => audiences)).toEqual([['g150'], ['g150']]);
  });

  test('ends up as it is now, however many looks are taken at once', async () => {
    const { folder, swap } = await configMap('g0');
    const { policies } = await watch(folder);
    const looks: Promise<void>[] = [];
    for (let generation = 1; generation <= 20; generation += 1) {
      looks.push(policies.check());
      await swap(`g${generation}`);
      looks.push(policies.check());
    }
    await Promise.all(looks);
    expect(policies.current().get('a')?.audiences).toEqual(['g20']);
  });
});
