import { SvidxError } from '../base/errors.ts';
import { type Growable, type GrowableSection, limitGrowables, readGrowables } from './core-module.ts';

/** What one instance of a core module may take at most. */
export interface CoreLimits {
  /** Bytes of its own linear memories. */
  readonly memoryBytes: number;
  /** Entries of its own tables. */
  readonly tableEntries: number;
}

export interface LimitedModule {
  readonly bytes: Uint8Array;
  readonly limits: CoreLimits;
}

/** What all instances of core modules in one instance of a component may take together. */
export interface CoreBudget {
  readonly memoryBytes: number;
  readonly tableEntries: number;
}

/** A page of linear memory (WebAssembly Core Specification, section 4.2.8). */
const PAGE_BYTES = 65_536;

/** Far above the largest guest seen (StarlingMonkey, 7,845); an entry costs the engine some 20 bytes. */
const MAX_TABLE_ENTRIES = 200_000;

/** Each memory, however small, makes the engine reserve 8 GiB of addresses. */
const MAX_MEMORIES = 100;

/** The budget for a component whose linear memories may have so many bytes. */
export function coreBudget(memoryBytes: number): CoreBudget {
  return { memoryBytes, tableEntries: MAX_TABLE_ENTRIES };
}

/**
 * Writes limits into the core modules of a component, so that whatever it does, all its memories together stay within the
 * budget, and its tables too: linear memory is not on the heap that a thread's limits bound. Beyond its limit,
 * `memory.grow` answers -1, as the specification has it for "no more".
 *
 * Each memory may have what it begins with, and of the rest in proportion to that, or less where it declares less.
 * @param modules by file name
 * @param countOf how often each is instantiated for one instance of the component
 * @throws SvidxError `component_invalid` where what they begin with is too much already, or a module is malformed
 */
export function limitCoreModules(
  modules: ReadonlyMap<string, Uint8Array>,
  countOf: (name: string) => number,
  budget: CoreBudget,
): Map<string, LimitedModule> {
  const read = [...modules].map(([name, bytes]) => ({ name, bytes, sections: readGrowables(bytes) }));
  const claims = read.flatMap(({ name, sections }) =>
    growablesOf(sections).map((growable): Claim => ({ growable, count: countOf(name) })),
  );
  const memories = claims.filter(({ growable }) => growable.kind === 'memory');
  const tables = claims.filter(({ growable }) => growable.kind === 'table');
  if (sum(memories.map(({ count }) => count)) > MAX_MEMORIES) throw tooMuch(`more than ${MAX_MEMORIES} memories`);
  const maxima = new Map([
    ...shareOut(memories, Math.floor(budget.memoryBytes / PAGE_BYTES), (pages) => {
      throw tooMuch(`${pages * PAGE_BYTES} bytes of memory to begin with; it may have ${budget.memoryBytes}`);
    }),
    ...shareOut(tables, budget.tableEntries, (entries) => {
      throw tooMuch(`${entries} table entries to begin with; it may have ${budget.tableEntries}`);
    }),
  ]);
  const maxOf = (growable: Growable): number => maxima.get(growable) ?? growable.min;
  return new Map(
    read.map(({ name, bytes, sections }) => {
      const total = (kind: Growable['kind']): number =>
        sum(growablesOf(sections).map((growable) => (growable.kind === kind ? maxOf(growable) : 0)));
      const limits = { memoryBytes: total('memory') * PAGE_BYTES, tableEntries: total('table') };
      return [name, { bytes: limitGrowables(bytes, sections, maxOf), limits }];
    }),
  );
}

interface Claim {
  readonly growable: Growable;
  /** How many instances of it there are. */
  readonly count: number;
}

/**
 * Gives each claim its minimum, and of the rest in proportion to it; those first who want least in proportion, so that what
 * they leave is for the others. A little memory of an adapter then does not take half of what there is.
 */
function shareOut(claims: readonly Claim[], budget: number, refuse: (needed: number) => never): [Growable, number][] {
  const needed = sum(claims.map(({ growable, count }) => growable.min * count));
  if (needed > budget) refuse(needed);
  const weight = ({ growable }: Claim): number => growable.min + 1;
  const wish = ({ growable: { min, max } }: Claim): number => (max === undefined ? budget : max - min);
  let left = budget - needed;
  let waiting = sum(claims.map((claim) => weight(claim) * claim.count));
  return claims
    .toSorted((a, b) => wish(a) / weight(a) - wish(b) / weight(b))
    .map((claim) => {
      const more = Math.min(wish(claim), Math.floor((left * weight(claim)) / waiting));
      left -= more * claim.count;
      waiting -= weight(claim) * claim.count;
      return [claim.growable, claim.growable.min + more];
    });
}

function growablesOf(sections: readonly GrowableSection[]): Growable[] {
  return sections.flatMap(({ growables }) => growables);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function tooMuch(needs: string): SvidxError {
  return new SvidxError('component_invalid', `the component needs ${needs}`);
}
