import type { Guest } from '../../src/component/guest/guest.ts';
import { createInstanceState } from '../../src/component/guest/instance-state.ts';
import { createFakeBorder, type FakeBorder } from './border.ts';

/** What the imports of a component have to work with, with a test at the far side of its border. */
export interface FakeGuest extends Guest {
  readonly border: FakeBorder;
}

export function createFakeGuest(): FakeGuest {
  const border = createFakeBorder();
  const state = createInstanceState(border.send);
  let lastId = 0;
  return {
    border,
    state: () => state,
    nextId() {
      lastId += 2;
      return lastId;
    },
  };
}
