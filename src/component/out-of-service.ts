import type { SvidxError } from '../base/errors.ts';

/** A hosted component cannot be asked now. Whoever asked is told so and the code of the reason; the rest is the operator's. */
export class OutOfService extends Error {
  override readonly name = 'OutOfService';
  readonly reason: SvidxError;

  constructor(reason: SvidxError) {
    super('the component is not in service', { cause: reason });
    this.reason = reason;
  }
}
