import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { policyJsonSchema } from '../../src/policy/document.ts';
import { withTables } from './tables.ts';

/** Writes what is made from the code: the tables of the README and the JSON Schema of policies. */
const ROOT = join(import.meta.dirname, '../..');
const README = join(ROOT, 'README.md');

await writeFile(join(ROOT, 'policies/schema.json'), `${JSON.stringify(policyJsonSchema(), null, 2)}\n`);
await writeFile(README, withTables(await readFile(README, 'utf8')));
