import { systemClock } from '../../src/base/clock.ts';
import type { Credentials } from '../../src/credentials/credentials.ts';
import type { AwsGrant } from '../../src/credentials/grants/aws.ts';
import { createAuthority } from '../../src/dev/authority.ts';
import { createAwsExchanger } from '../../src/exchange/aws.ts';
import { type JwtSvid, parseJwtSvidUnverified } from '../../src/spiffe/jwt-svid.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { createRecordingClock } from '../fakes/recording-clock.ts';
import { type ScriptedSts, type StsAnswer, type StsRequest, startScriptedSts } from '../fakes/scripted-sts.ts';

export const MODELS_GRANT: AwsGrant = Object.freeze({
  kind: 'aws',
  audience: 'sts.amazonaws.com',
  target: 'arn:aws:iam::111122223333:role/models',
  roleArn: 'arn:aws:iam::111122223333:role/models',
  region: 'us-east-1',
  durationSeconds: 900,
  sessionPolicy: undefined,
  policyArns: [],
  assumeRole: undefined,
});

/** A JWT-SVID with a real signature, valid now. */
export async function subjectToken(spiffeId = 'spiffe://example.org/team/api'): Promise<JwtSvid> {
  const authority = await createAuthority({
    clock: { now: systemClock.now, after: () => ({ cancel: () => {} }) },
    keyType: 'ec-p256',
    jwtIssuer: 'https://oidc.example.org',
    keyTtlMs: 3600_000,
  });
  const { token } = await authority.mint({
    spiffeId: SpiffeId.parse(spiffeId),
    audience: ['sts.amazonaws.com'],
    ttl: 300,
  });
  return parseJwtSvidUnverified(token);
}

/** One exchange that is under way. */
export interface RunningExchange {
  readonly sts: ScriptedSts;
  readonly running: Promise<Credentials>;
  /** Milliseconds of each wait between attempts, so far. */
  readonly waits: readonly number[];
  readonly token: string;
}

/** Exchanges once against an STS that answers so; the waits between attempts take no time. */
export async function exchangeOnce(
  answer: StsAnswer | ((attempt: number, request: StsRequest) => StsAnswer),
  options: { random?: number; signal?: AbortSignal } = {},
): Promise<RunningExchange> {
  const sts = await startScriptedSts();
  sts.onRequest = (request) => (typeof answer === 'function' ? answer(sts.requests.all.length, request) : answer);
  const clock = createRecordingClock();
  const svid = await subjectToken();
  const exchanger = createAwsExchanger({ clock, random: () => options.random ?? 0.5, endpoint: sts.url });
  const running = exchanger.exchange(svid, MODELS_GRANT, {
    signal: options.signal ?? new AbortController().signal,
  });
  let done = false;
  const end = (): void => {
    done = true;
  };
  running.then(end, end);
  void (async () => {
    while (!done) await clock.advance(await clock.nextDelay());
  })();
  return { sts, running, waits: clock.delays, token: svid.token.reveal() };
}
