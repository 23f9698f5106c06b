import { join } from 'node:path';
import { runProgram } from './cli.ts';

/**
 * Runs one of the programs in `sdk-programs/` to its end, with these variables and nothing of the developer's own.
 * @returns what each line that it printed says
 */
export async function runSdkProgram(
  name: 'aws' | 'azure' | 'gcp',
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Record<string, unknown>[]> {
  const file = join(import.meta.dirname, 'sdk-programs', `${name}.ts`);
  const { code, stdout, stderr } = await runProgram(process.execPath, [file, ...args], {
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...env },
  });
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${stderr}`);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
