import type { Clock } from '../../src/base/clock.ts';
import type { Credentials } from '../../src/credentials/credentials.ts';
import { REQUEST_TIMEOUT_MS } from '../../src/exchange/http-client.ts';
import type { JwtSvid } from '../../src/spiffe/jwt-svid.ts';
import { createRecordingClock, type RecordingClock } from '../fakes/recording-clock.ts';
import {
  type GoodAnswer,
  type ScriptedAnswer,
  type ScriptedRequest,
  type ScriptedUpstream,
  startScriptedUpstream,
} from '../fakes/scripted-upstream.ts';
import { subjectToken } from './exchange.ts';

/** An exchange with the target at this URL, through the adapter under test. */
export type MakeExchange = (
  serverUrl: string,
  deps: { readonly clock: Clock; readonly random: () => number },
) => Promise<(svid: JwtSvid, signal: AbortSignal) => Promise<Credentials>>;

export interface StartOptions {
  readonly makeExchange: MakeExchange;
  readonly good: GoodAnswer;
  readonly answer: ScriptedAnswer | ((attempt: number, request: ScriptedRequest) => ScriptedAnswer);
  readonly signal?: AbortSignal | undefined;
}

export interface StartedExchange {
  readonly upstream: ScriptedUpstream;
  readonly clock: RecordingClock;
  readonly running: Promise<Credentials>;
  /** Milliseconds of each wait between attempts, so far. */
  readonly waits: readonly number[];
  readonly token: string;
  /** From now on no wait takes time, and an attempt that is not answered runs out of it at once. */
  pump(): void;
}

/** One exchange with a target that answers so. */
export async function startExchange({ makeExchange, good, answer, signal }: StartOptions): Promise<StartedExchange> {
  const upstream = await startScriptedUpstream(good);
  const scripts: ScriptedAnswer[] = [];
  upstream.onRequest = (request) => {
    const script = typeof answer === 'function' ? answer(upstream.requests.all.length, request) : answer;
    scripts.push(script);
    return script;
  };
  const clock = createRecordingClock();
  const svid = await subjectToken();
  const exchange = await makeExchange(upstream.url, { clock, random: () => 0.5 });
  const running = exchange(svid, signal ?? new AbortController().signal);
  let done = false;
  const end = (): void => {
    done = true;
  };
  running.then(end, end);
  const waits: number[] = [];
  /** Waits between attempts take no time. */
  const pump = async (): Promise<void> => {
    while (!done) {
      const delay = await nextWait(clock);
      waits.push(delay);
      await clock.advance(delay);
    }
  };
  /** Nor does the time that an attempt has, once the target has it and will not answer. */
  const runOutOfTime = async (): Promise<void> => {
    while (!done) {
      await upstream.requests.next();
      if (String(scripts.at(-1)).startsWith('hang')) await clock.advance(REQUEST_TIMEOUT_MS);
    }
  };
  return {
    upstream,
    clock,
    running,
    waits,
    token: svid.token.reveal(),
    pump: () => void Promise.all([pump(), runOutOfTime()]),
  };
}

/** Milliseconds of the next wait between attempts: of the timers, those that are not there to end an attempt. */
export async function nextWait(clock: RecordingClock): Promise<number> {
  for (;;) {
    const delay = await clock.nextDelay();
    if (delay !== REQUEST_TIMEOUT_MS) return delay;
  }
}
