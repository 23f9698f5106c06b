/** At least one audience: a type that cannot be empty, so that "no audience" can never mean "no check". */
export type Audience = readonly [string, ...string[]];

/** The list as an `Audience`, or `undefined` when it is empty or holds an empty string. */
export function parseAudience(values: readonly string[]): Audience | undefined {
  const [first, ...rest] = values;
  return first === undefined || values.includes('') ? undefined : [first, ...rest];
}
