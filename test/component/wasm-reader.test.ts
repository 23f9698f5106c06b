import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createWasmReader, type WasmReader } from '../../src/component/wasm-reader.ts';
import { refusal } from '../support/errors.ts';

const reader = (...bytes: number[]): WasmReader => createWasmReader(Uint8Array.from(bytes));

/** LEB128 as the specification writes it, padded to a length if one is given. */
function leb(value: number, length = 0): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  } while (rest > 0 || bytes.length < length);
  return [...bytes.slice(0, -1), (bytes.at(-1) ?? 0) - 128];
}

describe('an unsigned number', () => {
  test('is read back, padded or not, and no byte more', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 32 - 1 }), fc.nat({ max: 5 }), (value, length) => {
        const bytes = leb(value, length);
        const read = reader(...bytes, 0xaa);
        expect(read.u32()).toBe(value);
        expect(read.at).toBe(bytes.length);
      }),
    );
  });

  test.each([
    ['nothing', []],
    ['a byte that says there is more', [0x80]],
    ['four of them', [0xff, 0xff, 0xff, 0xff]],
    ['2^32', [0x80, 0x80, 0x80, 0x80, 0x10]],
    ['33 bits set', [0xff, 0xff, 0xff, 0xff, 0x1f]],
    ['more than five bytes, though all of them zero', [0x80, 0x80, 0x80, 0x80, 0x80, 0x00]],
    ['a million bytes', new Array<number>(1_000_000).fill(0x80)],
  ])('%s is none', async (_, bytes) => {
    expect((await refusal(() => createWasmReader(Uint8Array.from(bytes)).u32())).code).toBe('component_invalid');
  });
});

describe('a signed number', () => {
  test.each([
    [33, [0xff, 0xff, 0xff, 0xff, 0x0f]],
    [33, [0x70]],
    [64, [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f]],
  ] as const)('of %i bits is passed over', (bits, bytes) => {
    const read = reader(...bytes, 0xaa);
    read.skipSigned(bits);
    expect(read.at).toBe(bytes.length);
  });

  test.each([
    [32, [0x80, 0x80, 0x80, 0x80, 0x80, 0x00]],
    [33, [0x80, 0x80, 0x80, 0x80, 0x80, 0x00]],
    [64, [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]],
    [33, [0x80]],
  ] as const)('is not longer than %i bits, and has an end', async (bits, bytes) => {
    expect((await refusal(() => reader(...bytes).skipSigned(bits))).code).toBe('component_invalid');
  });
});

describe('a part', () => {
  test('is read on its own, and the rest behind it', () => {
    const read = reader(1, 2, 3, 4);
    const part = read.part(2);
    expect([part.byte(), part.byte(), part.done, part.at]).toEqual([1, 2, true, 2]);
    expect([read.byte(), read.byte(), read.done]).toEqual([3, 4, true]);
  });

  test('has no more than its own bytes', async () => {
    const read = reader(1, 0x80, 3);
    const part = read.part(2);
    part.byte();
    expect((await refusal(() => part.u32())).code).toBe('component_invalid');
    expect((await refusal(() => reader(1, 2, 3).part(1).part(2))).code).toBe('component_invalid');
  });

  test.each([4, 5, 2 ** 31, 2 ** 32 - 1])('of %i bytes is not there where three are', async (length) => {
    expect((await refusal(() => reader(1, 2, 3).part(length))).code).toBe('component_invalid');
  });

  test('may be empty, also at the end', () => {
    expect(reader().part(0).done).toBe(true);
  });
});
