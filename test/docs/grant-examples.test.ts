import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { grantSchema } from '../../src/credentials/grant.ts';

const grantsDocument = z.strictObject({ grants: z.record(z.string(), grantSchema) });

/** The indented blocks that begin with `grants:`. */
function examplesIn(file: string): string[] {
  const blocks = readFileSync(file, 'utf8').matchAll(/^ {4}grants:\n(?: {4}.*\n)+/gm);
  return [...blocks].map(([block]) => block);
}

describe('the grants that the documentation shows', () => {
  test.each([
    ['README.md', ['azure', 'gcp']],
    ['deploy/azure/README.md', ['azure']],
    ['deploy/gcp/README.md', ['gcp']],
  ])('%s: are good ones', (file, kinds) => {
    const grants = examplesIn(file).flatMap((text) => Object.values(grantsDocument.parse(parse(text)).grants));
    expect(grants.map(({ kind }) => kind)).toEqual(expect.arrayContaining(kinds));
  });
});
