import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Growable, limitGrowables, readGrowables } from '../../src/component/core-module.ts';
import { assembleText } from '../support/assemble.ts';
import { refusal } from '../support/errors.ts';

const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

const section = (id: number, ...content: number[]): number[] => [id, content.length, ...content];
const module = (...sections: number[][]): Uint8Array => Uint8Array.from([...PREAMBLE, ...sections.flat()]);

const found = (bytes: Uint8Array): (readonly [Growable['kind'], number, number | undefined])[] =>
  readGrowables(bytes).flatMap(({ growables }) => growables.map(({ kind, min, max }) => [kind, min, max] as const));

const limited = (bytes: Uint8Array, max: number): Uint8Array =>
  limitGrowables(bytes, readGrowables(bytes), (growable) => Math.max(growable.min, max));

/** What the engine itself says: the pages a memory called `m` ends with when it grows as far as it goes. */
async function pagesAtMost(bytes: Uint8Array): Promise<number> {
  const { exports } = new WebAssembly.Instance(await WebAssembly.compile(bytes), {});
  const { m } = exports;
  if (!(m instanceof WebAssembly.Memory)) throw new Error('no memory');
  for (let step = 65_536; step >= 1; step /= 2) {
    try {
      for (;;) m.grow(step);
    } catch {
      // Not by that much; perhaps by less.
    }
  }
  return m.buffer.byteLength / 65_536;
}

describe('what can grow', () => {
  test('is found, with what is declared', async () => {
    const bytes = await assembleText(`(module
      (type $t (func))
      (table 3 funcref) (table 1 9 externref) (table $filled 2 (ref null $t) (ref.null $t))
      (memory 1) (memory 2 70)
      (func $f) (global $g i32 (i32.const 0)) (export "f" (func $f)))`);
    expect(found(bytes)).toEqual([
      ['table', 3, undefined],
      ['table', 1, 9],
      ['table', 2, undefined],
      ['memory', 1, undefined],
      ['memory', 2, 70],
    ]);
  });

  test('is nothing in a module without, or in one that imports it', async () => {
    expect(found(module())).toEqual([]);
    expect(
      found(await assembleText('(module (import "a" "m" (memory 1 5)) (import "a" "t" (table 1 funcref)))')),
    ).toEqual([]);
  });

  test('a table may be filled with a function or a global of another module', async () => {
    for (const text of [
      '(module (func $f) (table 2 (ref func) (ref.func $f)))',
      '(module (import "a" "g" (global $g funcref)) (table 2 5 funcref (global.get $g)))',
    ]) {
      const bytes = await assembleText(text);
      expect(found(bytes)).toHaveLength(1);
      await WebAssembly.compile(limited(bytes, 3));
    }
  });
});

describe('written limits', () => {
  test.each([
    ['without a maximum', '(memory (export "m") 1)', 5, 5],
    ['with a higher one', '(memory (export "m") 1 100)', 5, 5],
    ['with 4 GiB', '(memory (export "m") 1 65536)', 300, 300],
    ['with nothing to begin with', '(memory (export "m") 0)', 2, 2],
    ['that may not grow at all', '(memory (export "m") 3)', 0, 3],
  ])('hold for a memory %s', async (_, text, max, pages) => {
    const bytes = await assembleText(`(module (func (export "f")) (table 1 funcref) ${text} (data (i32.const 0) ""))`);
    expect(await pagesAtMost(limited(bytes, max))).toBe(pages);
  });

  test('leave everything else as it is', async () => {
    const bytes = await assembleText(
      `(module (table 300 funcref) (memory (export "m") 200 70000)
      (func (export "seven") (result i32) (i32.const 7)) (data (i32.const 5) "hello"))`.replace('70000', '60000'),
    );
    const { exports } = new WebAssembly.Instance(await WebAssembly.compile(limited(bytes, 1_000)), {});
    const { seven, m } = exports;
    expect(typeof seven === 'function' ? seven() : undefined).toBe(7);
    expect(m instanceof WebAssembly.Memory ? Buffer.from(m.buffer, 5, 5).toString() : '').toBe('hello');
  });

  test('a memory below its limit still links to who imports it with its old maximum', async () => {
    const provider = limited(await assembleText('(module (memory (export "m") 1 100))'), 10);
    const user = await assembleText('(module (import "a" "m" (memory 1 100)) (func (export "f")))');
    const { exports } = new WebAssembly.Instance(await WebAssembly.compile(provider), {});
    new WebAssembly.Instance(await WebAssembly.compile(user), { a: exports });
  });

  test('whatever the numbers are', async () => {
    const pages = fc.tuple(fc.nat({ max: 300 }), fc.option(fc.nat({ max: 65_236 })), fc.nat({ max: 65_536 }));
    await fc.assert(
      fc.asyncProperty(pages, async ([min, more, cap]) => {
        const max = more === null ? '' : String(min + more);
        const bytes = limited(
          await assembleText(`(module (table 1 funcref) (memory (export "m") ${min} ${max}))`),
          cap,
        );
        expect(found(bytes)).toEqual([
          ['table', 1, Math.max(1, cap)],
          ['memory', min, Math.max(min, cap)],
        ]);
        expect(WebAssembly.validate(bytes)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

describe('refused is', () => {
  const memory = (...content: number[]): Uint8Array => module(section(5, ...content));
  const table = (...content: number[]): Uint8Array => module(section(4, ...content));

  test.each<readonly [string, Uint8Array, string]>([
    ['nothing', new Uint8Array(), 'a core module has no preamble'],
    ['half a preamble', Uint8Array.from(PREAMBLE.slice(0, 5)), 'a core module has no preamble'],
    ['a component', Uint8Array.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]), 'a core module has no preamble'],
    ['a section that is longer than the module', module([1, 5, 0]), 'goes beyond the end'],
    ['a section of 4 GiB', module([0, 0xff, 0xff, 0xff, 0xff, 0x0f]), 'goes beyond the end'],
    ['a size of more than 32 bits', module([0, 0xff, 0xff, 0xff, 0xff, 0x1f]), 'longer than 32 bits'],
    ['a section without a size', module([1]), 'unexpected end'],
    ['an unknown section', module(section(14)), 'section 14 of a core module is unknown or out of order'],
    ['a section of a high number', module(section(255)), 'section 255 of a core module is unknown or out of order'],
    ['two memory sections', module(section(5, 1, 0, 1), section(5, 1, 0, 1)), 'section 5'],
    ['memory before tables', module(section(5, 0), section(4, 0)), 'section 4'],
    ['code before memory', module(section(10, 0), section(5, 1, 0, 1)), 'section 5'],
    ['a memory section without anything', memory(), 'unexpected end'],
    ['fewer memories than said', memory(2, 0, 1), 'unexpected end'],
    ['more memories than said', memory(1, 0, 1, 0, 1), 'longer than what is in it'],
    ['4 billion memories', memory(0xff, 0xff, 0xff, 0xff, 0x0f), '4294967295 memories or tables'],
    ['a thousand and one tables', table(0xe9, 0x07), '1001 memories or tables'],
    ['a shared memory', memory(1, 3, 1, 2), 'is shared'],
    ['a shared memory without maximum', memory(1, 2, 1), 'is shared'],
    ['a memory of 64 bits', memory(1, 4, 1), '64-bit addresses'],
    ['a shared memory of 64 bits', memory(1, 7, 1, 2), 'is shared'],
    ['a page size of its own', memory(1, 8, 1, 0), 'page size'],
    ['limits of an unknown sort', memory(1, 16, 1), 'unknown sort'],
    ['limits whose sort is padded', memory(1, 0x81, 0x00, 1, 2), 'unknown sort'],
    ['a memory of more than 4 GiB', memory(1, 0, 0x81, 0x80, 0x04), 'larger than 4 GiB'],
    ['a memory that may be larger than 4 GiB', memory(1, 1, 1, 0x81, 0x80, 0x04), 'larger than 4 GiB'],
    ['a maximum below the minimum', memory(1, 1, 2, 1), 'below its minimum'],
    ['a table of numbers', table(1, 0x7f, 0, 1), 'unknown type 127'],
    ['a table of 64 bits', table(1, 0x70, 4, 1), '64-bit addresses'],
    ['a shared table', table(1, 0x70, 2, 1), 'is shared'],
    ['a table of an unknown sort', table(1, 0x40, 0x01, 0x70, 0, 1), 'unknown sort'],
    ['a table filled by a sum', table(1, 0x40, 0, 0x70, 0, 1, 0x41, 0, 0x41, 0, 0x6a, 0x0b), 'expression 65'],
    ['a table filled by nothing that ends', table(1, 0x40, 0, 0x70, 0, 1, 0xd2, 0), 'unexpected end'],
  ])('%s', async (_, bytes, problem) => {
    const error = await refusal(() => readGrowables(bytes));
    expect(error).toMatchObject({
      code: 'component_invalid',
      message: 'not a valid WebAssembly component',
      detail: expect.stringContaining(problem),
    });
  });

  test('and it costs little: a million sections, a module cut off at any byte', async () => {
    expect(found(Buffer.concat([module(), Buffer.alloc(3_000_000, Buffer.from([0, 1, 0]))]))).toEqual([]);
    const bytes = await assembleText('(module (table 1 funcref) (memory (export "m") 1 2) (func (export "f")))');
    for (let length = 0; length < bytes.length; length += 1) {
      try {
        readGrowables(bytes.subarray(0, length));
      } catch (error) {
        expect(error).toHaveProperty('code', 'component_invalid');
      }
    }
  });
});

describe('whatever bytes there are', () => {
  test('they are read or refused, and what the engine runs is limited', async () => {
    const bytes = await assembleText(`(module (type (func)) (table 1 funcref) (table 2 5 externref)
      (memory (export "m") 1 2) (func (export "f")) (data (i32.const 0) "x"))`);
    const byte = fc.nat({ max: 255 });
    const change = fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.array(byte, { maxLength: 3 }), fc.nat({ max: 3 }));
    let ran = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        let changed = [...bytes];
        for (const [at, inserted, removed] of changes) changed = changed.toSpliced(at, removed, ...inserted);
        const input = Uint8Array.from(changed);
        let output: Uint8Array;
        try {
          output = limited(input, 4);
        } catch (error) {
          expect(error).toHaveProperty('code', 'component_invalid');
          return;
        }
        if (!WebAssembly.validate(output)) {
          expect(WebAssembly.validate(input)).toBe(false);
          return;
        }
        const minimum = found(input).flatMap(([kind, min]) => (kind === 'memory' ? [min] : []));
        const pages = await pagesAtMost(output).catch(() => undefined);
        if (pages === undefined) return;
        ran += 1;
        expect(pages).toBeLessThanOrEqual(Math.max(4, ...minimum));
      }),
      { numRuns: 3_000 },
    );
    expect(ran).toBeGreaterThan(20);
  });
});
