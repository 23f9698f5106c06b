import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ERROR_CODES } from '../../src/base/errors.ts';
import { EXIT_CODE } from '../../src/commands/exit-codes.ts';
import { CREDENTIALS_ERROR_CASE } from '../../src/component/imports/credentials.ts';
import { IDENTITY_ERROR_CASE } from '../../src/component/imports/identity.ts';
import { HTTP_STATUS } from '../../src/http/errors.ts';
import { OAUTH_ERROR } from '../../src/http/oauth-errors.ts';
import { policyJsonSchema } from '../../src/policy/document.ts';
import { README_TABLES, withTables } from './tables.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const manifest: { scripts: Record<string, string>; files: string[] } = JSON.parse(read('package.json'));

describe('what is made from the code is up to date (npm run generate)', () => {
  test('the tables of the README', () => {
    expect(withTables(read('README.md'))).toBe(read('README.md'));
  });

  test.each(Object.keys(README_TABLES))('the README has the table %s', (name) => {
    expect(read('README.md')).toContain(`<!-- table:${name} -->`);
  });

  test('policies/schema.json', () => {
    expect(JSON.parse(read('policies/schema.json'))).toEqual(policyJsonSchema());
  });
});

describe('every error code', () => {
  const tables = { HTTP_STATUS, OAUTH_ERROR, EXIT_CODE, IDENTITY_ERROR_CASE, CREDENTIALS_ERROR_CASE };

  test.each(Object.entries(tables))('is in %s, and nothing else is', (_, table) => {
    expect(Object.keys(table).sort()).toEqual(Object.keys(ERROR_CODES).sort());
  });

  test('is in the README', () => {
    const missing = Object.keys(ERROR_CODES).filter((code) => !read('README.md').includes(`| \`${code}\` |`));
    expect(missing).toEqual([]);
  });
});

describe('the README', () => {
  test('names npm scripts that exist', () => {
    const named = [...read('README.md').matchAll(/npm run ([a-z:]+)/g)].map(([, script = '']) => script);
    expect(named.filter((script) => manifest.scripts[script] === undefined)).toEqual([]);
    expect(named.length).toBeGreaterThan(0);
  });

  test('links to files that exist', () => {
    const links = [...read('README.md').matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path = '']) => path);
    expect(links.length).toBeGreaterThan(3);
    for (const path of links) expect(() => readFileSync(join(ROOT, path)), path).not.toThrow(/ENOENT/);
  });

  test('promises the commands that CI runs', () => {
    expect(read('README.md')).toContain('npm ci && npm run demo');
    expect(read('README.md')).toContain('npm ci && npm test');
    expect(read('.ci/run')).toMatch(/^npm ci$/m);
    expect(read('.ci/run')).toMatch(/^npm test$/m);
  });
});
