import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The WIT packages of WASI 0.2, a folder each, as `jco` brings them. */
export const WASI_WIT = fileURLToPath(
  new URL('../node_modules/@bytecodealliance/jco/lib/wit/builtin/0.2.12', import.meta.url),
);

/** The same packages as one text, each in braces, for tools that take no folder. */
export async function wasiPackages(): Promise<string> {
  const names = await readdir(WASI_WIT);
  const texts = await Promise.all(names.map((name) => readFile(join(WASI_WIT, name, 'package.wit'), 'utf8')));
  return texts.map(inBraces).join('\n');
}

/** `package a:b@1.0.0; ...` as `package a:b@1.0.0 { ... }`: how WIT has several packages in one text. */
export function inBraces(text: string): string {
  return `${text.replace(/(package [^;]+);/, '$1 {')}}`;
}
