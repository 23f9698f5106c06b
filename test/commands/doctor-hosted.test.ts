import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { markedHandler, tokenHandler } from '../fakes/marked-http.ts';
import { type Chain, check, expectDiagnosis, startChain } from '../support/doctor.ts';

/** A service with two components to be hosted, `api` and `ledger`, both good. */
async function startHosting(): Promise<Chain> {
  const chain = await startChain();
  await writeFile(join(chain.folder, 'token.wasm'), await tokenHandler());
  await writeFile(join(chain.folder, 'plain.wasm'), await markedHandler('x'));
  await appendFile(
    chain.configFile,
    `host:
  components:
    - { component: api, file: token.wasm, route: /api }
    - { component: ledger, file: plain.wasm, route: / }\n`,
  );
  return chain;
}

describe('hosted', () => {
  test('is good where each component could run', async () => {
    const chain = await startHosting();
    const checks = await chain.examine();
    expect(check(checks, 'hosted')).toEqual({ name: 'hosted', status: 'ok', saw: 'api, ledger: each may be hosted' });
    expect(checks.map(({ name }) => name).slice(0, 3)).toEqual(['configuration', 'policies', 'hosted']);
  });

  test('names each that could not, and goes on', async () => {
    const chain = await startHosting();
    await writeFile(join(chain.folder, 'plain.wasm'), 'not a component');
    expectDiagnosis(await chain.examine(), {
      step: 'hosted',
      saw: /ledger: component_invalid: not a WebAssembly component/,
      advice: /^Mend the file, or the policy of that name/,
      code: 'config_invalid',
    });
  });

  test('is nothing to look at without the section', async () => {
    const checks = await (await startChain()).examine();
    expect(checks.map(({ name }) => name)).not.toContain('hosted');
  });
});
