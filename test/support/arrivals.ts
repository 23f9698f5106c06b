/** Things that come one after the other, such as the calls that reach a server: a test awaits each in turn. */
export interface Arrivals<T> {
  /** Everything that has come, in order. */
  readonly all: readonly T[];
  push(item: T): void;
  /** The first one that no earlier call of this function was given; waits for it if it has not come yet. */
  next(): Promise<T>;
}

export function createArrivals<T>(): Arrivals<T> {
  const all: T[] = [];
  const waiting: ((item: T) => void)[] = [];
  let taken = 0;
  return {
    all,
    push(item) {
      all.push(item);
      const waiter = waiting.shift();
      if (waiter === undefined) return;
      taken += 1;
      waiter(item);
    },
    next() {
      const item = all[taken];
      if (item === undefined) return new Promise((resolve) => waiting.push(resolve));
      taken += 1;
      return Promise.resolve(item);
    },
  };
}
