import { execFile } from 'node:child_process';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { loadPolicyFolder } from '../../src/config/policy-folder.ts';
import { refusal } from '../support/errors.ts';
import { EXAMPLE_ORG } from '../support/policies.ts';
import { componentsOf, folderOf, policy } from '../support/policy-folders.ts';

const KIBIBYTE = 1024;

async function names(folder: string): Promise<string[]> {
  return componentsOf(await loadPolicyFolder(folder, EXAMPLE_ORG));
}

/** What is said of a folder, without its own path. */
async function problem(folder: string): Promise<string> {
  const error = await refusal(loadPolicyFolder(folder, EXAMPLE_ORG));
  expect(error.code).toBe('policy_invalid');
  return error.message.replaceAll(folder, 'policies');
}

describe('a folder that is loaded', () => {
  test('is one set: all of its .yaml and .yml files, in the order of their names', async () => {
    const folder = await folderOf({
      'b.yaml': policy('second'),
      'a.yml': policy('first'),
      'c.d.yaml': policy('third'),
    });
    expect(await names(folder)).toEqual(['first', 'second', 'third']);
  });

  test('may hold other files, which are passed over', async () => {
    const folder = await folderOf({
      'a.yaml': policy('api'),
      '.hidden.yaml': 'broken: [',
      '.yaml': 'broken: [',
      'schema.json': '{}',
      'README.md': '# broken',
      'a.yaml.bak': 'broken: [',
      'a.yaml~': 'broken: [',
    });
    await mkdir(join(folder, 'sub'));
    await writeFile(join(folder, 'sub/b.yaml'), 'broken: [');
    expect(await names(folder)).toEqual(['api']);
  });

  test('may hold links to files', async () => {
    const elsewhere = await folderOf({ 'real.yaml': policy('api') });
    const folder = await folderOf({});
    await symlink(join(elsewhere, 'real.yaml'), join(folder, 'link.yaml'));
    expect(await names(folder)).toEqual(['api']);
  });

  test('may hold a byte order mark', async () => {
    expect(await names(await folderOf({ 'a.yaml': `\ufeff${policy('api')}` }))).toEqual(['api']);
  });
});

describe('a folder is refused', () => {
  test('when it is not there', async () => {
    const folder = await folderOf({});
    await rm(folder, { recursive: true });
    expect(await problem(folder)).toBe('policies: cannot be read (ENOENT)');
  });

  test('when it is a file', async () => {
    expect(await problem(join(await folderOf({ 'a.yaml': policy('api') }), 'a.yaml'))).toMatch(/ENOTDIR/);
  });

  test('when it is empty, or has nothing but other files', async () => {
    expect(await problem(await folderOf({}))).toBe('policies: expected at least one policy file, *.yaml');
    expect(await problem(await folderOf({ 'schema.json': '{}', '.a.yaml': policy('api') }))).toMatch(/at least one/);
  });

  test('when a link leads nowhere', async () => {
    const folder = await folderOf({ 'a.yaml': policy('api') });
    await symlink('nowhere', join(folder, 'b.yaml'));
    expect(await problem(folder)).toBe('policies/b.yaml: cannot be read (ENOENT)');
  });

  test('when a folder has the name of a file', async () => {
    const folder = await folderOf({ 'a.yaml': policy('api') });
    await mkdir(join(folder, 'b.yaml'));
    expect(await problem(folder)).toBe('policies/b.yaml: is not a file');
  });

  test('when a pipe has the name of a file, and nobody waits for it', async () => {
    const folder = await folderOf({ 'a.yaml': policy('api') });
    await promisify(execFile)('mkfifo', [join(folder, 'b.yaml')]);
    expect(await problem(folder)).toBe('policies/b.yaml: is not a file');
  });

  test('when a file is larger than 256 KiB, and not when it is just that', async () => {
    const filled = (bytes: number): string =>
      policy('api')
        .padEnd(bytes - 1, '#')
        .concat('\n');
    expect(await names(await folderOf({ 'a.yaml': filled(256 * KIBIBYTE) }))).toEqual(['api']);
    expect(await problem(await folderOf({ 'a.yaml': filled(256 * KIBIBYTE + 1) }))).toBe(
      'policies/a.yaml: is larger than 262144 bytes',
    );
  });

  test('when a file is not UTF-8: two audiences must not become one', async () => {
    const file = Buffer.from(policy('api', 'a\xff'), 'latin1');
    expect(await problem(await folderOf({ 'a.yaml': file }))).toBe('policies/a.yaml: is not UTF-8 text');
  });

  test('with the problems of all of its files', async () => {
    const folder = await folderOf({ 'a.yaml': policy('api'), 'b.yaml': policy('api'), 'c.yaml': 'component: c d' });
    expect((await problem(folder)).split('\n').map((line) => line.split(': ').slice(0, 2))).toEqual([
      ['policies/b.yaml:1', 'component'],
      ['policies/c.yaml:1', 'component'],
      ['policies/c.yaml:1', 'spiffeId'],
      ['policies/c.yaml:1', 'selectors'],
    ]);
  });
});
