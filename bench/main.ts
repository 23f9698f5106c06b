import type { Row } from './row.ts';

/** Runs the benchmark and prints its rows as a table, or with `--json` as one JSON array. */
const ROWS: readonly (readonly [string, () => Promise<readonly Row[]>])[] = [
  ['issuer', async () => (await import('./rows/issuer.ts')).issuer()],
  ['credentials', async () => (await import('./rows/cached-credentials.ts')).cachedCredentials()],
  ['import', async () => (await import('./rows/identity-import.ts')).identityImport()],
  ['exchange', async () => (await import('./rows/cold-exchange.ts')).coldExchange()],
  ['single-flight', async () => (await import('./rows/single-flight.ts')).singleFlight()],
  ['held', async () => (await import('./rows/held-identities.ts')).heldIdentities()],
  ['component', async () => (await import('./rows/component-host.ts')).componentHost()],
  ['startup', async () => (await import('./rows/startup.ts')).startup()],
];

const json = process.argv.includes('--json');
const only = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const rows: Row[] = [];
for (const [name, measure] of ROWS) {
  if (only.length > 0 && !only.includes(name)) continue;
  if (!json) process.stderr.write(`measuring ${name} ...\n`);
  rows.push(...(await measure()));
}

if (json) {
  process.stdout.write(`${JSON.stringify(rows)}\n`);
} else {
  const cells = rows.map(({ what, measured, against, ratio, target, met }) => [
    what,
    measured,
    against,
    ratio.toFixed(2),
    target,
    met ? 'yes' : 'NO',
  ]);
  const head = ['what', 'measured', 'against', 'ratio', 'target', 'met'];
  const widths = head.map((name, column) => Math.max(name.length, ...cells.map((row) => row[column]?.length ?? 0)));
  for (const row of [head, widths.map((width) => '-'.repeat(width)), ...cells]) {
    process.stdout.write(`${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}\n`);
  }
}
// Servers of the benchmark may still hold connections that nobody needs any more.
process.exit(0);
