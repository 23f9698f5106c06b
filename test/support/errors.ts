import { type ErrorCode, SvidxError } from '../../src/base/errors.ts';

/** The SvidxError that `work` throws or rejects with; a failure of the test if it does anything else. */
export async function refusal(work: (() => unknown) | Promise<unknown>): Promise<SvidxError> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    if (error instanceof SvidxError) return error;
    throw error;
  }
  throw new Error('expected a SvidxError, but nothing was thrown');
}

/** The code of the SvidxError that `work` throws or rejects with. */
export async function refusalCode(work: (() => unknown) | Promise<unknown>): Promise<ErrorCode> {
  return (await refusal(work)).code;
}
