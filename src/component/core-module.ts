import { invalidComponent } from './invalid-component.ts';
import { createWasmReader, type WasmReader } from './wasm-reader.ts';

/** A memory or a table that a core module defines, with how far it may grow. Memories count pages of 64 KiB, tables entries. */
export interface Growable {
  readonly kind: 'memory' | 'table';
  readonly min: number;
  /** As declared; `undefined` where it may grow without end. */
  readonly max: number | undefined;
  /** Where its limits stand in the module: first byte, and the one behind the last. */
  readonly start: number;
  readonly end: number;
}

/** A section that defines growables: the byte its size begins at, the one its content begins at, the one behind it. */
export interface GrowableSection {
  readonly sizeStart: number;
  readonly start: number;
  readonly end: number;
  /** In the order in which they stand. */
  readonly growables: readonly Growable[];
}

/** WebAssembly Core Specification, section 5.5.16: what a module begins with. */
const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

const CUSTOM = 0;
const TABLE = 4;
const MEMORY = 5;

/** All other sections, by their ids in the order in which they stand (section 5.5.16); 13 is for tags, 12 counts data. */
const ORDER: readonly number[] = [1, 2, 3, TABLE, MEMORY, 13, 6, 7, 8, 9, 12, 10, 11];

/** Far more than any toolchain makes; each costs the engine more than its entries. */
const MAX_PER_SECTION = 1_000;

/** Pages of a memory with 32-bit addresses (section 3.2.14). */
const MAX_PAGES = 65_536;

/**
 * Finds what a core module can make grow. Nothing else of the module is looked into; that it is valid is for the engine to
 * say. But whatever the engine takes for a memory or a table must be seen here: so anything in doubt is refused.
 *
 * What is imported need not be looked at: inside a component it can only be what another core module defines, and a lower
 * maximum there always fits (section 4.5.3: an import asks for a minimum, and for a maximum that is not exceeded).
 * @throws SvidxError `component_invalid` for what is malformed, and for 64-bit addresses, shared memories and other page sizes
 */
export function readGrowables(module: Uint8Array): GrowableSection[] {
  if (!PREAMBLE.every((byte, at) => module[at] === byte)) throw invalidComponent('a core module has no preamble');
  const reader = createWasmReader(module, PREAMBLE.length);
  const sections: GrowableSection[] = [];
  let last = -1;
  while (!reader.done) {
    const id = reader.byte();
    const sizeStart = reader.at;
    const content = reader.part(reader.u32());
    if (id === CUSTOM) continue;
    const place = ORDER.indexOf(id);
    if (place <= last) throw invalidComponent(`section ${id} of a core module is unknown or out of order`);
    last = place;
    if (id !== TABLE && id !== MEMORY) continue;
    const start = content.at;
    const growables = readVector(content, id === TABLE ? readTable : readMemory);
    sections.push({ sizeStart, start, end: reader.at, growables });
  }
  return sections;
}

/**
 * The module with other limits.
 * @param sections all of `readGrowables` of this module
 * @param maxOf how far each may grow at most, not less than its `min`
 */
export function limitGrowables(
  module: Uint8Array,
  sections: readonly GrowableSection[],
  maxOf: (growable: Growable) => number,
): Uint8Array {
  const parts: Uint8Array[] = [];
  let copied = 0;
  for (const { sizeStart, start, end, growables } of sections) {
    const content: Uint8Array[] = [];
    let at = start;
    for (const growable of growables) {
      content.push(module.subarray(at, growable.start));
      content.push(Uint8Array.from([1, ...unsigned(growable.min), ...unsigned(maxOf(growable))]));
      at = growable.end;
    }
    content.push(module.subarray(at, end));
    const size = content.reduce((sum, { length }) => sum + length, 0);
    parts.push(module.subarray(copied, sizeStart), Uint8Array.from(unsigned(size)), ...content);
    copied = end;
  }
  return Buffer.concat([...parts, module.subarray(copied)]);
}

function readVector<T>(content: WasmReader, read: (content: WasmReader) => T): T[] {
  const length = content.u32();
  if (length > MAX_PER_SECTION) throw invalidComponent(`a core module has ${length} memories or tables`);
  const items = Array.from({ length }, () => read(content));
  if (!content.done) throw invalidComponent(`a section is longer than what is in it, at byte ${content.at}`);
  return items;
}

function readMemory(content: WasmReader): Growable {
  const memory = readLimits(content, 'memory');
  if (Math.max(memory.min, memory.max ?? 0) > MAX_PAGES) throw unsupported('memory', 'is larger than 4 GiB');
  return memory;
}

/** Section 5.5.7: a table's type, or the same behind 0x40 0x00 and before an expression for its first entries. */
function readTable(content: WasmReader): Growable {
  let type = content.byte();
  const hasExpression = type === 0x40;
  if (hasExpression) {
    if (content.byte() !== 0x00) throw unsupported('table', 'is of an unknown sort');
    type = content.byte();
  }
  // Section 5.3.4: 0x63 and 0x64 stand before a type by number or name, the others are short for such.
  if (type === 0x63 || type === 0x64) content.skipSigned(33);
  else if (type < 0x69 || type > 0x74) throw unsupported('table', `has the unknown type ${type}`);
  const table = readLimits(content, 'table');
  if (hasExpression) skipExpression(content);
  return table;
}

/** The constant expressions that a table can be filled with: a null, a function, a global (section 3.4.13). */
function skipExpression(content: WasmReader): void {
  for (let opcode = content.byte(); opcode !== 0x0b; opcode = content.byte()) {
    if (opcode === 0xd0) content.skipSigned(33);
    else if (opcode === 0xd2 || opcode === 0x23) content.u32();
    else throw unsupported('table', `is filled by the expression ${opcode}`);
  }
}

/** Section 5.3.11. The bits of the first byte: 0 there is a maximum, 1 shared, 2 64-bit addresses, 3 a page size. */
function readLimits(content: WasmReader, kind: Growable['kind']): Growable {
  const start = content.at;
  const flags = content.byte();
  if (flags & 0b1111_0010) throw unsupported(kind, 'is shared, or of an unknown sort');
  if (flags & 0b0000_0100) throw unsupported(kind, 'has 64-bit addresses');
  if (flags & 0b0000_1000) throw unsupported(kind, 'has a page size of its own');
  const min = content.u32();
  const max = flags === 1 ? content.u32() : undefined;
  if (max !== undefined && max < min) throw unsupported(kind, 'has a maximum below its minimum');
  return { kind, min, max, start, end: content.at };
}

function unsupported(kind: Growable['kind'], problem: string): Error {
  return invalidComponent(`a ${kind} of a core module ${problem}, which this host does not run`);
}

/** In LEB128, as short as it goes. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...unsigned(Math.floor(value / 0x80))];
}
