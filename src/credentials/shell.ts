/** Shell lines `export NAME='value'`, for `eval` in a POSIX shell. */
export function shellExports(variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables)
    .map(([name, value]) => `export ${name}=${quote(value)}`)
    .join('\n');
}

/** Between single quotes everything stands for itself, except the single quote. */
function quote(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}
