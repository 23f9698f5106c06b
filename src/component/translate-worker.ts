import { parentPort, workerData } from 'node:worker_threads';
import { toSvidxError } from '../base/errors.ts';
import { translateComponent } from './translate.ts';
import type { TranslateOutcome, TranslateRequest } from './translate-thread.ts';

/** The thread in which one component is translated. */

const { bytes, options }: TranslateRequest = workerData;

const outcome: TranslateOutcome = await translateComponent(bytes, options).then(
  (translated) => ({ translated }),
  (thrown: unknown) => {
    const { code, message, detail } = toSvidxError(thrown);
    return { error: { code, message, detail } };
  },
);
parentPort?.postMessage(outcome);
