import { parentPort, workerData } from 'node:worker_threads';
import { toSvidxError } from '../base/errors.ts';
import { compileComponent } from './compile.ts';
import type { CompileOutcome, CompileRequest } from './messages.ts';

/** The thread in which one component is compiled. */

const { bytes, options }: CompileRequest = workerData;

const outcome: CompileOutcome = await compileComponent(bytes, options).then(
  (compiled) => ({ compiled }),
  (thrown: unknown) => {
    const { code, message, detail } = toSvidxError(thrown);
    return { error: { code, message, detail } };
  },
);
parentPort?.postMessage(outcome);
