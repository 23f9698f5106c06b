import { z } from 'zod';
import { parseStrictJson } from '../base/strict-json.ts';
import { sha256 } from './sha256.ts';
import type { TranslatedComponent } from './translate.ts';

/**
 * A translated component as a file: 8 bytes that say what it is; the SHA-256 of all that follows; the key under which it was
 * stored (32 bytes); the length of the index (4 bytes, little-endian); the index in JSON; the JavaScript; the core modules.
 */
const MAGIC = Buffer.from('svidxc\r\n');
const HASH_BYTES = 32;
const FIXED_BYTES = MAGIC.length + HASH_BYTES + HASH_BYTES + 4;

const count = z.int().nonnegative();

const index = z.strictObject({
  digest: z.string(),
  memoryBytes: count,
  sourceBytes: count,
  cores: z.array(
    z.strictObject({
      name: z.string().regex(/^component\.core\d*\.wasm$/),
      bytes: count,
      memoryBytes: count,
      tableEntries: count,
    }),
  ),
  imports: z.array(z.string()),
  functions: z.array(z.string()),
  httpHandler: z.string().optional(),
  command: z.string().optional(),
});

/** @param key 64 hexadecimal digits */
export async function encodeTranslated(component: TranslatedComponent, key: string): Promise<Buffer<ArrayBuffer>> {
  const { source, cores, ...facts } = component;
  const sourceBytes = Buffer.from(source);
  const listed = [...cores].map(([name, { bytes, limits }]) => ({ name, bytes: bytes.length, ...limits }));
  const header = Buffer.from(JSON.stringify({ ...facts, sourceBytes: sourceBytes.length, cores: listed }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const modules = [...cores.values()].map(({ bytes }) => bytes);
  const content = Buffer.concat([Buffer.from(key, 'hex'), length, header, sourceBytes, ...modules]);
  return Buffer.concat([MAGIC, await sha256(content), content]);
}

/**
 * Reads a file that was stored under this key. The hash is for what a disk, or a write that did not end, does to a file; who
 * may write there at all is for the folder to see.
 * @returns `undefined` for anything else, down to one bit: never a part of it
 */
export async function decodeTranslated(
  file: Buffer<ArrayBuffer>,
  key: string,
): Promise<TranslatedComponent | undefined> {
  if (file.length < FIXED_BYTES || !file.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const hashEnd = MAGIC.length + HASH_BYTES;
  const content = file.subarray(hashEnd);
  if (!file.subarray(MAGIC.length, hashEnd).equals(await sha256(content))) return undefined;
  if (!content.subarray(0, HASH_BYTES).equals(Buffer.from(key, 'hex'))) return undefined;
  const headerEnd = FIXED_BYTES + file.readUInt32LE(FIXED_BYTES - 4);
  const parsed = index.safeParse(parseStrictJson(file.subarray(FIXED_BYTES, headerEnd)));
  if (!parsed.success) return undefined;
  const { sourceBytes, cores, httpHandler, command, ...facts } = parsed.data;

  let at = headerEnd;
  const next = (bytes: number): Buffer => {
    at += bytes;
    return file.subarray(at - bytes, at);
  };
  const source = next(sourceBytes).toString('utf8');
  const modules = cores.map(({ name, bytes, ...limits }) => [name, { bytes: next(bytes), limits }] as const);
  if (at !== file.length) return undefined;
  return { ...facts, httpHandler, command, source, cores: new Map(modules) };
}
