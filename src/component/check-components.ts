import { systemClock } from '../base/clock.ts';
import { SvidxError, toSvidxError } from '../base/errors.ts';
import { createLogger } from '../base/logger.ts';
import { createHosting, type Hosting } from '../broker/hosting.ts';
import type { HostConfig, HostedComponentConfig } from '../config/host.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import { type CompileCache, createCompileCache } from './compile-cache.ts';
import { readComponentFile } from './component-file.ts';
import { notHttpHandler } from './hosted-component.ts';
import { checkImports } from './imports/catalogue.ts';

/**
 * Compiles all components of a host, and compares them with their policies. None is run.
 * @throws SvidxError `config_invalid`, with a line for each that could not be hosted
 */
export async function checkComponents({ components }: HostConfig, policies: PolicySet): Promise<void> {
  const logger = createLogger({ level: 'silent', destination: { write() {} } });
  const hosting = createHosting({ policies: () => policies, clock: systemClock, logger });
  const compiling = createCompileCache({ clock: systemClock });
  const checked = await Promise.all(components.map((config) => problemOf(config, hosting, compiling)));
  const problems = checked.filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new SvidxError('config_invalid', problems.join('\n'));
}

async function problemOf(
  { component, file, limits }: HostedComponentConfig,
  hosting: Hosting,
  compiling: CompileCache,
): Promise<string | undefined> {
  try {
    const compiled = await compiling.compile(await readComponentFile(file), { memoryBytes: limits.memoryBytes });
    checkImports(compiled.imports, await hosting.rights({ component, digest: compiled.digest }), component);
    if (compiled.httpHandler === undefined) throw notHttpHandler();
    return undefined;
  } catch (thrown) {
    const { code, message, detail } = toSvidxError(thrown);
    return `host.components: ${component}: ${code}: ${message}${detail === undefined ? '' : ` (${detail})`}`;
  }
}
