import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** The path of the program; `undefined` where neither Vault nor OpenBao is installed. */
    vault: string | undefined;
  }
}

/** Finds the program that `VAULT_BIN` names, else `bao` or `vault` on the PATH, and says which one it is. */
export async function setup(project: TestProject): Promise<void> {
  const file = process.env['VAULT_BIN'] || (await onPath('bao')) || (await onPath('vault'));
  project.provide('vault', file);
  if (file === undefined) {
    process.stdout.write('\ntest:vault: SKIPPED, there is no bao or vault on the PATH (nor is VAULT_BIN set)\n');
    return;
  }
  const { stdout } = await promisify(execFile)(file, ['version'], { env: {} });
  process.stdout.write(`\ntest:vault: ${stdout.trim()}\n`);
}

async function onPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}
