import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { runProgram } from '../../support/cli.ts';

/** The programs of a SPIRE installation, by their paths. */
export interface SpirePrograms {
  readonly server: string;
  readonly agent: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    /** `undefined` where SPIRE is not installed. */
    spire: SpirePrograms | undefined;
  }
}

/** Finds SPIRE in `SPIRE_BIN_DIR`, else on the PATH, once for the whole run, and says which one it is. */
export async function setup(project: TestProject): Promise<void> {
  const folders = (process.env['SPIRE_BIN_DIR'] || process.env['PATH'] || '').split(delimiter);
  const server = await find(folders, 'spire-server');
  const agent = await find(folders, 'spire-agent');
  if (server === undefined || agent === undefined) {
    const missing = [server ?? 'spire-server', agent ?? 'spire-agent'].filter((name) => !name.includes('/'));
    const where = process.env['SPIRE_BIN_DIR'] ? 'in SPIRE_BIN_DIR' : 'on the PATH (nor is SPIRE_BIN_DIR set)';
    process.stdout.write(`\ntest:spire: SKIPPED, there is no ${missing.join(' and no ')} ${where}\n`);
    project.provide('spire', undefined);
    return;
  }
  // To stdout in some versions, to stderr in others.
  const version = await runProgram(server, ['--version']);
  process.stdout.write(`\ntest:spire: SPIRE ${(version.stdout + version.stderr).trim()}\n`);
  project.provide('spire', { server, agent });
}

async function find(folders: readonly string[], name: string): Promise<string | undefined> {
  for (const folder of folders) {
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
