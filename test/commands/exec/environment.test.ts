import { describe, expect, test } from 'vitest';
import { type EnvironmentProvider, openEnvironment } from '../../../src/commands/exec/environment.ts';
import { staticCredentialsProvider } from '../../../src/commands/exec/static-credentials.ts';
import { createFakeBroker } from '../../fakes/broker.ts';
import { refusal } from '../../support/errors.ts';

function provider(name: string, env: Record<string, string>, without: string[] = []) {
  const seen = { opened: 0, closed: 0 };
  const made: EnvironmentProvider = {
    name,
    async open() {
      seen.opened += 1;
      return {
        env,
        without,
        async close() {
          seen.closed += 1;
        },
      };
    },
  };
  return { seen, provider: made };
}

const always = (): boolean => true;

describe('an environment', () => {
  test('is the one there was, with what is provided, without what competes', async () => {
    const first = provider('first', { A: '1', KEPT: 'ours' }, ['B', 'C']);
    const second = provider('second', { C: '2' });
    const env = await openEnvironment(
      { A: 'x', B: 'x', C: 'x', D: 'x', KEPT: 'theirs' },
      [first.provider, second.provider],
      [],
      always,
    );
    expect(env).toEqual({ A: '1', C: '2', D: 'x', KEPT: 'ours' });
  });

  test('may have the same value from two, and not two values', async () => {
    const [one, same, other] = [
      provider('one', { A: '1' }),
      provider('same', { A: '1' }),
      provider('other', { A: '2' }),
    ];
    expect(await openEnvironment({}, [one.provider, same.provider], [], always)).toEqual({ A: '1' });
    const closers: (() => Promise<void>)[] = [];
    expect(await refusal(openEnvironment({}, [one.provider, other.provider], closers, always))).toMatchObject({
      code: 'usage_invalid',
      message: 'one and other both need A: choose a grant with --grant',
    });
    for (const close of closers) await close();
    expect([one.seen.closed, other.seen.closed]).toEqual([1, 1]);
  });

  test('opens nothing more once it is not wanted any more, and knows what to close', async () => {
    const [one, other] = [provider('one', {}), provider('other', {})];
    const closers: (() => Promise<void>)[] = [];
    await openEnvironment({}, [one.provider, other.provider], closers, () => one.seen.opened === 0);
    expect([one.seen.opened, other.seen.opened, closers.length]).toEqual([1, 0, 1]);
  });

  test('has what was opened to be closed, where a later one fails', async () => {
    const broker = createFakeBroker();
    broker.failure = new Error('no');
    const one = provider('one', {});
    const failing = staticCredentialsProvider({ broker, component: 'api', grant: 'models', without: [] });
    const closers: (() => Promise<void>)[] = [];
    await expect(openEnvironment({}, [one.provider, failing], closers, always)).rejects.toThrow('no');
    expect(closers).toHaveLength(1);
  });
});

test('static credentials are those of the grant, in the variables of their own tools', async () => {
  const broker = createFakeBroker();
  const options = { broker, component: 'api', grant: 'models', without: ['AWS_PROFILE'] };
  const { env, without } = await staticCredentialsProvider(options).open();
  expect(env).toMatchObject({ AWS_SECRET_ACCESS_KEY: 'the-secret-access-key', AWS_REGION: 'eu-central-1' });
  expect(without).toEqual(['AWS_PROFILE']);
  expect(broker.asked).toEqual([{ caller: { component: 'api' }, grant: 'models' }]);
});
