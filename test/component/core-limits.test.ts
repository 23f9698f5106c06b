import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { coreBudget, limitCoreModules } from '../../src/component/core-limits.ts';
import { assembleText } from '../support/assemble.ts';
import { refusal } from '../support/errors.ts';

const PAGE = 65_536;

const once = (): number => 1;

/** Modules called 0, 1, 2, ... of these definitions, limited to so many pages. */
async function limit(definitions: readonly string[], pages: number, countOf: (name: string) => number = once) {
  const modules = await Promise.all(
    definitions.map(async (text, index) => [String(index), await assembleText(`(module ${text})`)] as const),
  );
  return [...limitCoreModules(new Map(modules), countOf, coreBudget(pages * PAGE)).values()];
}

const pagesOf = async (...args: Parameters<typeof limit>): Promise<number[]> =>
  (await limit(...args)).map(({ limits }) => limits.memoryBytes / PAGE);

describe('the budget', () => {
  test.each([
    ['goes to the only memory', ['(memory 1)'], [100]],
    ['is not needed where there is none', ['', '(import "a" "m" (memory 1))'], [0, 0]],
    ['is not given to a memory that declares less', ['(memory 1 7)'], [7]],
    ['may be what the memory begins with', ['(memory 100)'], [100]],
    ['is shared evenly by equals', ['(memory 1)', '(memory 1)'], [50, 50]],
    ['goes for the most part to who begins with most', ['(memory 0)', '(memory 17)'], [5, 95]],
    ['is handed on by those who want less', ['(memory 1 3)', '(memory 1)', '(memory 1 1)'], [3, 96, 1]],
    ['counts several memories of one module together', ['(memory 1) (memory 1 2)', '(memory 1)'], [51, 49]],
  ])('%s', async (_, definitions, pages) => {
    expect(await pagesOf(definitions, 100)).toEqual(pages);
  });

  test('is divided by the number of instances', async () => {
    expect(await pagesOf(['(memory 1)', '(memory 1 4)'], 100, (name) => (name === '0' ? 3 : 1))).toEqual([32, 4]);
    expect(await pagesOf(['(memory 30)'], 100, () => 3)).toEqual([33]);
  });

  test('is the same for tables, with a number of entries of its own', async () => {
    const [only] = await limit(['(table 10 funcref) (table 3 20 externref)'], 100);
    expect(only?.limits).toEqual({ memoryBytes: 0, tableEntries: 200_000 });
    const [many] = await limit(['(table 10 funcref)'], 100, () => 20);
    expect(many?.limits).toEqual({ memoryBytes: 0, tableEntries: 10_000 });
  });

  test('is whole pages', async () => {
    const modules = new Map([['0', await assembleText('(module (memory 1))')]]);
    const limited = limitCoreModules(modules, once, coreBudget(3 * PAGE - 1));
    expect(limited.get('0')?.limits.memoryBytes).toBe(2 * PAGE);
  });

  test('is never exceeded, and nobody has less than it begins with or more than it declares', () => {
    const memory = fc.record({
      min: fc.nat({ max: 50 }),
      more: fc.option(fc.nat({ max: 200 })),
      count: fc.nat({ max: 4 }),
    });
    fc.assert(
      fc.property(fc.array(memory, { maxLength: 12 }), fc.nat({ max: 3_000 }), (memories, pages) => {
        const counts = memories.map(({ count }) => count + 1);
        const modules = new Map(memories.map(({ min, more }, index) => [String(index), moduleWith(min, more)]));
        const needed = memories.reduce((sum, { min }, index) => sum + min * (counts[index] ?? 0), 0);
        const instances = counts.reduce((sum, count) => sum + count, 0);
        if (needed > pages || instances > 100) return;
        const limited = limitCoreModules(modules, (name) => counts[Number(name)] ?? 0, coreBudget(pages * PAGE));
        const given = [...limited.values()].map(({ limits }) => limits.memoryBytes / PAGE);
        expect(given.reduce((sum, own, index) => sum + own * (counts[index] ?? 0), 0)).toBeLessThanOrEqual(pages);
        for (const [index, { min, more }] of memories.entries()) {
          expect(given[index]).toBeGreaterThanOrEqual(min);
          if (more !== null) expect(given[index]).toBeLessThanOrEqual(min + more);
        }
      }),
    );
  });
});

describe('refused is', () => {
  test.each([
    ['a memory that begins with too much', ['(memory 101)'], 'needs 6619136 bytes of memory to begin with'],
    ['two that do so together', ['(memory 60)', '(memory 41)'], 'needs 6619136 bytes of memory to begin with'],
    ['two in one module', ['(memory 60) (memory 41)'], 'needs 6619136 bytes of memory to begin with'],
    ['a table that does', ['(table 200001 funcref)'], 'needs 200001 table entries to begin with; it may have 200000'],
    ['a hundred and one memories', ['(memory 0)'.repeat(101)], 'needs more than 100 memories'],
  ])('%s', async (_, definitions, message) => {
    const error = await refusal(limit(definitions, 100));
    expect(error.code).toBe('component_invalid');
    expect(error.message).toContain(`the component ${message}`);
  });

  test('what would be enough once, but not for all instances', async () => {
    expect((await refusal(limit(['(memory 40)'], 100, () => 3))).message).toContain('7864320 bytes');
    expect((await refusal(limit(['(memory 0)'], 100, () => 101))).message).toContain('more than 100 memories');
  });

  test('any memory at all where there is no budget', async () => {
    expect((await refusal(limit(['(memory 1)'], 0))).code).toBe('component_invalid');
    expect(await pagesOf(['(memory 0)'], 0)).toEqual([0]);
  });
});

/** As bytes: assembling takes longer than everything else. */
function moduleWith(min: number, more: number | null): Uint8Array {
  const leb = (value: number): number[] => (value < 128 ? [value] : [(value % 128) | 128, value >> 7]);
  const content = [1, ...(more === null ? [0, ...leb(min)] : [1, ...leb(min), ...leb(min + more)])];
  return Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, content.length, ...content]);
}
