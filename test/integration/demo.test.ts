import { describe, expect, test } from 'vitest';
import { runNode } from '../../examples/run-node.ts';
import { type RunningDemo, startDemo } from '../support/demo.ts';

/** The three parts of a token, or the header that all of them begin with. */
const TOKEN = /eyJ|[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}/;

/** As long as the secret access keys of AWS, or longer; ARNs, paths and SPIFFE IDs have marks that these do not. */
const SECRET_KEY = /(?<![\w+/=-])[A-Za-z0-9+/=]{40,}(?![\w+/=-])/;

/** What the model calls somebody in the role of wasmPay. */
const ROLE = 'arn:aws:sts::111122223333:assumed-role/wasmpay-bedrock';

describe('npm run demo', () => {
  test('goes through the whole flow, shows no secret and leaves nothing behind', { timeout: 60_000 }, async () => {
    const startedAt = Date.now();
    const demo = await (await startDemo()).finished();
    expect(demo).toMatchObject({ code: 0, stderr: expect.not.stringMatching(/error/i), files: [], alive: false });

    const lines = demo.stdout.trimEnd().split('\n');
    expect(lines.filter((line) => line.startsWith('{'))).toHaveLength(1);
    const result = JSON.parse(lines.at(-1) ?? '');
    expect(result).toStrictEqual({
      ok: true,
      spiffeId: 'spiffe://wasmcloud.dev/spiffe-in-practice/api-gateway',
      issuer: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      audience: ['sts.amazonaws.com'],
      accessKeyId: expect.stringMatching(/^ASIA[A-Z2-7]{16}$/),
      expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/),
      callerArn: expect.stringMatching(/^arn:aws:sts::\d{12}:assumed-role\/[\w-]+\/[\w=,.@-]{2,64}$/),
      denied: 'policy_denied',
      stories: {
        exchange: `${ROLE}/wasmpay`,
        credentials: `${ROLE}/spiffe-in-practice=wasmpay@wasmcloud.dev`,
        inject: `${ROLE}/spiffe-in-practice=wasmpay@wasmcloud.dev`,
      },
    });
    expect(Date.parse(result.expiration)).toBeGreaterThan(startedAt);
    expect(Date.parse(result.expiration)).toBeLessThan(Date.now() + 12 * 3600_000);

    // Step by step, each with the command it stands for.
    const numbers = lines.flatMap((line) => /^(\d+)\. /.exec(line)?.[1] ?? []);
    expect(numbers).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12']);
    expect(lines.filter((line) => line.startsWith('   $ '))).toHaveLength(12);

    for (const output of [demo.stdout, demo.stderr]) {
      expect(output).not.toMatch(TOKEN);
      expect(output).not.toMatch(SECRET_KEY);
    }
  });

  test('is searched for secrets in a way that would find them', () => {
    expect('token: eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln').toMatch(TOKEN);
    expect('a0b1c2d3e4f5.a0b1c2d3e4f5.a0b1c2d3e4f5').toMatch(TOKEN);
    expect('secret wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY').toMatch(SECRET_KEY);
  });
});

describe('npm run demo, told to stop,', { timeout: 60_000 }, () => {
  test.each([
    ['SIGTERM', 'demo', 'the service starts', '1. Start the service', 'svidx-dev-'],
    ['SIGINT', 'group', 'the component is built', '2. Build the example component', 'svidx-example-'],
  ] as const)('by %s to the %s while %s leaves nothing behind', async (signal, to, moment, printed, made) => {
    const demo = await startDemo();
    await demo.printed(printed);
    await demo.made(made);
    demo.signal(signal, to);
    await expectNothingLeft(demo, signal, moment);
  });
});

async function expectNothingLeft(demo: RunningDemo, signal: NodeJS.Signals, moment: string): Promise<void> {
  const { stdout, ...end } = await demo.finished();
  expect(end, moment).toEqual({ code: null, signal, stderr: expect.any(String), files: [], alive: false });
  expect(end.stderr, moment).not.toMatch(/error|at file:/i);
  expect(stdout).not.toContain('"ok"');
}

test('a program that the demo runs is ended with it, at once', { timeout: 5_000 }, async () => {
  const stopping = new AbortController();
  const running = runNode(['-e', 'setTimeout(() => {}, 10_000)'], { signal: stopping.signal });
  const reason = new Error('stop');
  stopping.abort(reason);
  await expect(running).rejects.toBe(reason);
  await expect(runNode(['-e', ''], { signal: stopping.signal })).rejects.toBe(reason);
  expect(await runNode(['-p', '1 + 1'])).toBe('2\n');
});
