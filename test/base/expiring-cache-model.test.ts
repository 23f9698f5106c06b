import fc from 'fast-check';
import { expect, test } from 'vitest';
import { settle } from '../fakes/clock.ts';
import { createCacheWorld, Remembered } from '../support/cache-world.ts';

const MAX_ENTRIES = 3;
const KEYS = ['a', 'b', 'c', 'd', '__proto__'];

type Step =
  | { readonly kind: 'get'; readonly key: string }
  | { readonly kind: 'renew'; readonly key: string }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'bring'; readonly key: string; readonly freshFor: number; readonly usableFor: number }
  | { readonly kind: 'fail'; readonly key: string; readonly rememberMs: number };

const key = fc.constantFrom(...KEYS);
const ms = fc.constantFrom(0, 1, 499, 500, 999, 1000, 5000, 30_000);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('get'), key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('renew'), key }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('advance'), ms }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('bring'), key, freshFor: ms, usableFor: ms }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail'), key, rememberMs: ms }) },
);

interface Held {
  readonly key: string;
  readonly name: string;
  readonly usableUntil: number;
  refreshAt: number;
  failed: number;
}

/** What the cache should do, in plain lists and without any promise. The last of a list is the one last used. */
class Model {
  now = 0;
  held: Held[] = [];
  failures: { readonly key: string; readonly message: string; readonly until: number }[] = [];
  readonly loading = new Set<string>();
  refreshFailures = 0;

  usable(wanted: string): Held | undefined {
    return this.held.find(({ key, usableUntil }) => key === wanted && this.now < usableUntil);
  }

  /** The answer there is at once, or `waits`. */
  get(key: string): string {
    const value = this.usable(key);
    if (value !== undefined) {
      this.held = [...this.held.filter((other) => other !== value), value];
      if (this.now >= value.refreshAt) this.loading.add(key);
      return value.name;
    }
    const failure = this.failures.find((other) => other.key === key && this.now < other.until);
    if (failure !== undefined) return `error ${failure.message}`;
    this.loading.add(key);
    return 'waits';
  }

  renew(key: string): void {
    const value = this.usable(key);
    if (value !== undefined) value.refreshAt = this.now;
  }

  bring(key: string, name: string, life: { freshFor: number; usableFor: number }): void {
    this.loading.delete(key);
    this.failures = this.failures.filter((other) => other.key !== key);
    if (life.usableFor <= 0) {
      this.postpone(this.usable(key));
      return;
    }
    const refreshAt = this.now + Math.max(life.freshFor, 1000);
    this.held = this.held.filter((other) => other.key !== key);
    this.held.push({ key, name, usableUntil: this.now + life.usableFor, refreshAt, failed: 0 });
    this.evict();
  }

  fail(key: string, message: string, rememberMs: number): void {
    this.loading.delete(key);
    const value = this.usable(key);
    if (value !== undefined) {
      this.refreshFailures += 1;
      this.postpone(value);
    } else if (rememberMs > 0) {
      this.failures = this.failures.filter((other) => other.key !== key);
      this.failures.push({ key, message, until: this.now + rememberMs });
      this.evict();
    }
  }

  private postpone(value: Held | undefined): void {
    if (value === undefined) return;
    value.refreshAt = this.now + Math.min(60_000, 1000 * 2 ** value.failed) / 2;
    value.failed += 1;
  }

  private evict(): void {
    const tooMany = (list: readonly unknown[], until: number | undefined): boolean =>
      until !== undefined && (list.length > MAX_ENTRIES || until <= this.now);
    while (tooMany(this.held, this.held[0]?.usableUntil)) this.held.shift();
    while (tooMany(this.failures, this.failures[0]?.until)) this.failures.shift();
  }
}

test('the cache does what a simple model of it does, whatever happens in whatever order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const world = createCacheWorld({ maxEntries: MAX_ENTRIES, loadTimeoutMs: 2 ** 31 });
      const model = new Model();
      const waiting = new Map<string, Promise<string>[]>();
      /** The loads under way: the number of each by its key. */
      const open = new Map<string, number>();
      let seen = 0;

      for (const [index, current] of steps.entries()) {
        const name = `step ${index}`;
        if (current.kind === 'advance') {
          model.now += current.ms;
          await world.clock.advance(current.ms);
        } else if (current.kind === 'renew') {
          model.renew(current.key);
          world.cache.renew(current.key);
        } else if (current.kind === 'get') {
          const answer = world.get(current.key).catch((error: Error) => `error ${error.message}`);
          const expected = model.get(current.key);
          await settle();
          expect(await Promise.race([answer, Promise.resolve('waits')])).toBe(expected);
          if (expected === 'waits') waiting.set(current.key, [...(waiting.get(current.key) ?? []), answer]);
        } else if (model.loading.has(current.key)) {
          const load = world.loads[open.get(current.key) ?? -1];
          const answers = waiting.get(current.key) ?? [];
          waiting.delete(current.key);
          if (current.kind === 'bring') {
            model.bring(current.key, name, current);
            await load?.bring(name, current);
            expect(await Promise.all(answers)).toEqual(answers.map(() => name));
          } else {
            model.fail(current.key, name, current.rememberMs);
            await load?.fail(new Remembered(name, current.rememberMs));
            expect(await Promise.all(answers)).toEqual(answers.map(() => `error ${name}`));
          }
          open.delete(current.key);
        }
        for (const [number, load] of world.loads.entries()) {
          if (number < seen) continue;
          expect(open.has(load.key)).toBe(false);
          open.set(load.key, number);
        }
        seen = world.loads.length;
        expect(new Set(open.keys())).toEqual(model.loading);
        expect(world.cache.size).toBe(model.held.length);
        expect(world.refreshFailures).toHaveLength(model.refreshFailures);
      }
    }),
    { numRuns: 200 },
  );
});
