import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT_CODE } from '../../src/commands/exit-codes.ts';
import { createProgram } from '../../src/commands/program.ts';
import { DEFAULT_LEEWAY_SECONDS } from '../../src/spiffe/jwt-svid.ts';
import { refusal } from '../support/errors.ts';
import {
  buildToken,
  expectation,
  type JwtSvidVector,
  vectorAudience,
  vectorBundles,
  vectorFiles,
  vectorLeewaySeconds,
  vectors,
} from '../support/jwt-svid-vectors.ts';
import { svidx } from '../support/svidx.ts';

/** `svidx verify` goes by the system's clock, so what depends on the very second is left to the verifier's own test. */
const anyTime = ({ exactTime }: JwtSvidVector): boolean => !exactTime;

let folder: string;
let options: readonly string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'svidx-'));
  const bundles = join(folder, 'bundles.json');
  await writeFile(bundles, JSON.stringify(vectorBundles()));
  options = [...vectorAudience.flatMap((audience) => ['--audience', audience]), '--bundles', bundles];
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function tokenOf(vector: JwtSvidVector): string {
  return buildToken(vector, Math.floor(Date.now() / 1000));
}

/** Runs `svidx verify` in this process: a process each would take minutes for all of them. */
async function verify(printed: string[], token: readonly string[], stdin = ''): Promise<void> {
  const program = createProgram({
    env: {},
    tmpdir: folder,
    colours: false,
    interactive: false,
    onSignal: () => () => {},
    exitWith: (code) => expect.unreachable(`exit code ${code}`),
    logDestination: { write: (line) => expect.unreachable(`logged: ${line}`) },
    print: (text) => void printed.push(text),
    writeRaw: (stream) => expect.unreachable(`wrote to ${stream}`),
    readStdin: async () => stdin,
    stopped: () => new Promise(() => {}),
  });
  await program.parseAsync(['node', 'svidx', 'verify', ...options, ...token]);
}

async function check(vector: JwtSvidVector, token: readonly string[], stdin?: string): Promise<void> {
  const expected = expectation(vector);
  const printed: string[] = [];
  if ('spiffeId' in expected) {
    await verify(printed, token, stdin);
    expect(printed).toHaveLength(1);
    expect(JSON.parse(printed[0] ?? '')).toMatchObject({ spiffeId: expected.spiffeId });
    return;
  }
  const error = await refusal(verify(printed, token, stdin));
  expect([error.code, EXIT_CODE[error.code]]).toEqual([expected.code, 1]);
  expect(printed).toEqual([]);
}

for (const [file, fileVectors] of vectorFiles) {
  describe(`svidx verify and the vectors of ${file}`, () => {
    test.each(fileVectors.filter(anyTime).map((vector) => [vector.name, vector.expect, vector] as const))(
      '%s: %s',
      async (_name, _expect, vector) => {
        const token = tokenOf(vector);
        // "-" alone stands for stdin.
        if (token !== '-') await check(vector, ['--', token]);
        // A line end behind a token on stdin is none of the token's.
        if (token === token.trim()) await check(vector, [], `${token}\n`);
      },
    );
  });
}

describe('svidx verify as a process', () => {
  const oneOfEach = [...new Map(vectors.filter(anyTime).map((vector) => [outcome(vector), vector])).values()];

  test.each(oneOfEach.map((vector) => [outcome(vector), vector] as const))(
    'ends as it should: %s',
    async (_, vector) => {
      const expected = expectation(vector);
      const { code, stdout, stderr } = await svidx(['verify', ...options, '-'], { stdin: tokenOf(vector) });
      if ('spiffeId' in expected) {
        expect([code, JSON.parse(stdout).spiffeId, stderr]).toEqual([0, expected.spiffeId, '']);
        return;
      }
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(new RegExp(`^svidx: ${expected.code}: `));
    },
  );
});

/** `accepted`, or the code of the refusal. */
function outcome(vector: JwtSvidVector): string {
  const expected = expectation(vector);
  return 'code' in expected ? expected.code : 'accepted';
}

describe('the vectors for svidx verify', () => {
  test('are nearly all, of every outcome', () => {
    const used = vectors.filter(anyTime);
    expect(used.length).toBeGreaterThan(vectors.length * 0.9);
    expect(new Set(used.map(outcome))).toEqual(new Set(vectors.map(outcome)));
  });

  test('allow for clocks what the command allows', () => {
    expect(vectorLeewaySeconds).toBe(DEFAULT_LEEWAY_SECONDS);
  });
});
