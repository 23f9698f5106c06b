import type { Border } from '../../src/component/guest/border.ts';
import { monotonicNow } from '../../src/component/guest/monotonic.ts';
import type { FromWorker } from '../../src/component/messages.ts';

/** A border with a test at the far side: what is sent is kept, and a wait is over once the test has had its turn. */
export interface FakeBorder extends Border {
  readonly sent: FromWorker[];
  /** How often what was gathered was sent. */
  flushes: number;
  /** What happens at the far side while the component waits, one after the other. */
  readonly meanwhile: (() => void)[];
}

export function createFakeBorder(): FakeBorder {
  const border: FakeBorder = {
    sent: [],
    flushes: 0,
    meanwhile: [],
    send: (message) => void border.sent.push(message),
    flush() {
      border.flushes += 1;
    },
    look() {},
    wait(isDone, until) {
      border.flush();
      while (!isDone()) {
        const next = border.meanwhile.shift();
        if (next !== undefined) next();
        else if (until === undefined) throw new Error('this wait would never end');
        else if (monotonicNow() >= until) return;
      }
    },
  };
  return border;
}
