import type { HttpErrorCode } from '../egress/error-code.ts';
import type { ImportOutcome } from '../host-import.ts';
import type { ResponseHead } from '../http-messages.ts';
import type { ToWorker } from '../messages.ts';
import { createPipes, type PipeReader, type Pipes, type SendPipeMessage } from '../pipes.ts';

/** The answer to an outgoing request, as it came over the border. */
export type ArrivedResponse =
  | { readonly response: ResponseHead; readonly body: PipeReader }
  | { readonly error: HttpErrorCode };

/** What one instance has under way at the border. A new instance has a new one, and hears of nothing that was another's. */
export interface InstanceState {
  readonly pipes: Pipes;
  /** Does nobody want the answer any more? */
  cancelled: boolean;
  /** The body of the HTTP request that is its job. */
  jobBody: PipeReader | undefined;
  hasOutcome(id: number): boolean;
  /** The answer of a host import, once it is there; it is given once. */
  takeOutcome(id: number): ImportOutcome | undefined;
  /** The answer to an outgoing request, once it is there. */
  response(id: number): ArrivedResponse | undefined;
  receive(message: Exclude<ToWorker, { type: 'job' | 'cancel' }>): void;
}

export function createInstanceState(send: SendPipeMessage): InstanceState {
  const pipes = createPipes(send);
  const outcomes = new Map<number, ImportOutcome>();
  const responses = new Map<number, ArrivedResponse>();
  return {
    pipes,
    cancelled: false,
    jobBody: undefined,
    hasOutcome: (id) => outcomes.has(id),
    takeOutcome(id) {
      const outcome = outcomes.get(id);
      outcomes.delete(id);
      return outcome;
    },
    response: (id) => responses.get(id),
    receive(message) {
      switch (message.type) {
        case 'import-outcome':
          outcomes.set(message.id, message.outcome);
          break;
        case 'response':
          // From now on, since its bytes may be in the next message.
          responses.set(message.id, { response: message.response, body: pipes.reader(message.body) });
          break;
        case 'response-failed':
          responses.set(message.id, { error: message.error });
          break;
        default:
          pipes.receive(message);
      }
    },
  };
}
