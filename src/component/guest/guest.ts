import type { Border } from './border.ts';
import type { InstanceState } from './instance-state.ts';

/** What the imports of a component's thread have to work with. */
export interface Guest {
  readonly border: Border;
  /** Of the instance that is there now. */
  state(): InstanceState;
  /** A number that names something new at the border: even, as those of the host are odd. */
  nextId(): number;
}
