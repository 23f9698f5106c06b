import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SvidxError } from '../../../src/base/errors.ts';
import { Secret } from '../../../src/base/secret.ts';
import { tokenFileProvider } from '../../../src/commands/exec/token-files.ts';
import type { ReceivedTokenFile } from '../../../src/http/token-file-client.ts';
import { createFakeClock } from '../../fakes/clock.ts';
import { createMemoryLog } from '../../fakes/log.ts';
import { refusalCode } from '../../support/errors.ts';

const LIFE_MS = 300_000;

/** A provider between a client and a clock in the test's hands. */
function setup(runtimeFolder?: string) {
  const clock = createFakeClock();
  const log = createMemoryLog();
  const world = {
    clock,
    log,
    asked: 0,
    failure: undefined as SvidxError | undefined,
    /** When the token that is given now was made. */
    mintedAt: undefined as number | undefined,
  };
  const client = {
    async get(): Promise<ReceivedTokenFile> {
      world.asked += 1;
      if (world.failure !== undefined) throw world.failure;
      return {
        token: new Secret(`token-${world.asked}`),
        expiresAt: (world.mintedAt ?? clock.now()) + LIFE_MS,
        variables: { file: 'AWS_WEB_IDENTITY_TOKEN_FILE', others: { AWS_ROLE_ARN: 'arn' } },
      };
    },
  };
  const provider = tokenFileProvider({
    client,
    component: 'api',
    grant: { name: 'models', kind: 'aws' },
    runtimeFolder,
    clock,
    random: () => 0,
    logger: log.logger,
  });
  return { world, provider };
}

async function open() {
  const { world, provider } = setup();
  const provided = await provider.open();
  onTestFinished(provided.close);
  const path = provided.env['AWS_WEB_IDENTITY_TOKEN_FILE'] ?? '';
  return { ...world, world, provided, path, read: () => readFile(path, 'utf8') };
}

describe('a token file', () => {
  test('holds the token and nothing else, until half of its life has passed', async () => {
    const { clock, world, read } = await open();
    expect(await read()).toBe('token-1');
    await clock.advance(LIFE_MS / 2 - 1);
    expect(world.asked).toBe(1);
    await clock.advance(1);
    await expect.poll(read).toBe('token-2');
    // And so on.
    await clock.waitForTimers(1);
    await clock.advance(LIFE_MS / 2);
    await expect.poll(read).toBe('token-3');
  });

  test('is replaced in one step: whoever has it open reads the old one to its end', async () => {
    const { clock, path, read } = await open();
    const before = await stat(path);
    await clock.advance(LIFE_MS / 2);
    await expect.poll(read).toBe('token-2');
    const after = await stat(path);
    expect(after.ino).not.toBe(before.ino);
    expect((after.mode & 0o777).toString(8)).toBe('600');
    expect((await readdir(dirname(path))).toSorted()).toEqual(['.alive', 'models']);
  });

  test('keeps its token through trouble, asks again sooner and sooner told, and recovers', async () => {
    const { clock, log, world, read } = await open();
    world.failure = new SvidxError('service_unreachable', 'nobody there');
    await clock.advance(LIFE_MS / 2);
    await clock.advance(500);
    await clock.advance(1_000);
    expect(world.asked).toBe(4);
    expect(await read()).toBe('token-1');
    expect(log.entries().map(({ event }) => event)).toEqual(Array(3).fill('exec.token_file_not_renewed'));
    world.failure = undefined;
    await clock.advance(2_000);
    await expect.poll(read).toBe('token-5');
  });

  test('asks no more than once a second where the token it is given is about to end', async () => {
    const { clock, world } = await open();
    world.mintedAt = clock.now() - LIFE_MS / 2;
    const end = clock.now() + LIFE_MS;
    while (clock.now() < end) {
      // Nothing is asked for while a file is written, so each step waits for what comes next.
      await clock.waitForTimers(1);
      const before = world.asked;
      await clock.advance(999);
      expect(world.asked - before).toBeLessThanOrEqual(1);
    }
    expect(world.asked).toBeGreaterThan(50);
  });

  test('is gone with its folder when it is closed, also while it is being renewed, and stays so', async () => {
    const { clock, world, provided, path } = await open();
    const advancing = clock.advance(LIFE_MS / 2);
    await provided.close();
    await advancing;
    await expect(stat(dirname(path))).rejects.toThrow('ENOENT');
    await clock.advance(LIFE_MS * 10);
    expect([world.asked <= 2, clock.timers]).toEqual([true, 0]);
    await expect(stat(dirname(path))).rejects.toThrow('ENOENT');
    await provided.close();
  });

  test('is not there where the policy denies it', async () => {
    const { world, provider } = setup();
    world.failure = new SvidxError('policy_denied', 'no');
    expect(await refusalCode(provider.open())).toBe('policy_denied');
  });

  test.each([
    ['is no tmpfs', '/proc'],
    ['is not there', '/dev/shm/svidx-not-there'],
  ])('is refused in a folder that %s', async (_, folder) => {
    expect(await refusalCode(setup(folder).provider.open())).toBe('config_invalid');
  });

  test('leaves /dev/shm alone where XDG_RUNTIME_DIR is a tmpfs', async () => {
    const { provider } = setup('/dev/shm/.');
    const { env, close } = await provider.open();
    expect(env['AWS_WEB_IDENTITY_TOKEN_FILE']).toMatch(/^\/dev\/shm\/svidx-exec-\w{6}\/models$/);
    await close();
  });
});
