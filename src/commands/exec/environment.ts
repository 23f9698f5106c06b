import { SvidxError } from '../../base/errors.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** What one way of getting an identity or credentials adds to the environment of a program. */
export interface ProvidedEnvironment {
  readonly env: Readonly<Record<string, string>>;
  /** Variables that would lead the program elsewhere, such as to credentials of whoever runs it. */
  readonly without?: readonly string[];
  /** Lets go of it. */
  close(): Promise<void>;
}

/** One way of getting an identity or credentials to a program. */
export interface EnvironmentProvider {
  /** What it provides, as an error has it. */
  readonly name: string;
  open(): Promise<ProvidedEnvironment>;
}

/**
 * Opens providers one after the other, as long as `isWanted`.
 * @param closers gets what is to be let go of, also where this throws
 * @returns the environment `base` with all that they provide, and without what would compete with it
 * @throws SvidxError `usage_invalid` where two want the same variable; and what a provider throws
 */
export async function openEnvironment(
  base: Env,
  providers: readonly EnvironmentProvider[],
  closers: (() => Promise<void>)[],
  isWanted: () => boolean,
): Promise<Env> {
  const from = new Map<string, string>();
  const without = new Set<string>();
  const provided: Record<string, string> = {};
  for (const provider of providers) {
    if (!isWanted()) break;
    const { env, without: unwanted = [], close } = await provider.open();
    closers.push(close);
    for (const name of unwanted) without.add(name);
    for (const [name, value] of Object.entries(env)) {
      const other = from.get(name);
      if (other !== undefined && provided[name] !== value) {
        throw new SvidxError(
          'usage_invalid',
          `${other} and ${provider.name} both need ${name}: choose a grant with --grant`,
        );
      }
      from.set(name, provider.name);
      provided[name] = value;
    }
  }
  const kept = Object.entries(base).filter(([name]) => !without.has(name));
  return { ...Object.fromEntries(kept), ...provided };
}
