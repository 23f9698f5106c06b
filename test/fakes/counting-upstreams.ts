import { randomBytes } from 'node:crypto';
import type { Clock } from '../../src/base/clock.ts';
import { SvidxError } from '../../src/base/errors.ts';
import { Secret } from '../../src/base/secret.ts';
import type { Credentials } from '../../src/credentials/credentials.ts';
import type { Grant } from '../../src/credentials/grant.ts';
import { createAuthority } from '../../src/dev/authority.ts';
import type { Exchanger } from '../../src/exchange/exchanger.ts';
import type { JwtSvidSource, Subject } from '../../src/identity/source.ts';
import type { Audience } from '../../src/spiffe/audience.ts';
import { type JwtSvid, parseJwtSvidUnverified } from '../../src/spiffe/jwt-svid.ts';
import { type Arrivals, createArrivals } from '../support/arrivals.ts';

/** How an upstream behaves: it answers, it refuses, or it says nothing until somebody gives up. */
export type Behaviour = 'answer' | 'hang' | SvidxError;

export interface MintCall {
  readonly subject: Subject;
  readonly audience: Audience;
  readonly signal: AbortSignal;
}

export interface ExchangeCall {
  readonly subjectToken: JwtSvid;
  readonly grant: Grant;
  readonly signal: AbortSignal;
}

/** SPIRE and AWS STS as ports, honest and counted: real tokens, random credentials, lifetimes by the given clock. */
export interface CountingUpstreams {
  readonly svids: JwtSvidSource;
  readonly exchanger: Exchanger;
  readonly mints: Arrivals<MintCall>;
  readonly exchanges: Arrivals<ExchangeCall>;
  /** What was answered, as it is answered. */
  readonly minted: Arrivals<JwtSvid>;
  readonly issued: Arrivals<Credentials>;
  mint: Behaviour;
  exchange: Behaviour;
  /** Seconds that a JWT-SVID lives. */
  svidTtl: number;
  /** Every token and every part of a credential that must not be seen. */
  readonly secrets: string[];
}

export async function createCountingUpstreams(clock: Clock): Promise<CountingUpstreams> {
  const authority = await createAuthority({
    // Its keys are not to rotate, and its timer is not to be among those that a test counts.
    clock: { now: clock.now, after: () => ({ cancel: () => {} }) },
    keyType: 'ec-p256',
    jwtIssuer: 'https://oidc.example.org',
    keyTtlMs: 365 * 24 * 3600_000,
  });
  const upstreams: CountingUpstreams = {
    mints: createArrivals(),
    exchanges: createArrivals(),
    minted: createArrivals(),
    issued: createArrivals(),
    mint: 'answer',
    exchange: 'answer',
    svidTtl: 300,
    secrets: [],
    svids: {
      async fetchJwtSvid(subject, audience, signal) {
        upstreams.mints.push({ subject, audience, signal });
        await behave(upstreams.mint, signal);
        const { token } = await authority.mint({ spiffeId: subject.spiffeId, audience, ttl: upstreams.svidTtl });
        upstreams.secrets.push(token);
        const svid = parseJwtSvidUnverified(token);
        upstreams.minted.push(svid);
        return svid;
      },
    },
    exchanger: {
      async exchange(subjectToken, grant, { signal }) {
        if (grant.kind !== 'aws') throw new Error('expected a grant for AWS');
        upstreams.exchanges.push({ subjectToken, grant, signal });
        await behave(upstreams.exchange, signal);
        const secrets = [randomBytes(30).toString('base64'), randomBytes(60).toString('base64')] as const;
        upstreams.secrets.push(...secrets);
        const credentials: Credentials = {
          kind: 'aws',
          accessKeyId: `ASIA${randomBytes(8).toString('hex').toUpperCase()}`,
          secretAccessKey: new Secret(secrets[0]),
          sessionToken: new Secret(secrets[1]),
          expiresAt: clock.now() + grant.durationSeconds * 1000,
          region: grant.region,
        };
        upstreams.issued.push(credentials);
        return credentials;
      },
    },
  };
  return upstreams;
}

function behave(behaviour: Behaviour, signal: AbortSignal): Promise<void> {
  if (behaviour === 'answer') return Promise.resolve();
  if (behaviour instanceof SvidxError) return Promise.reject(behaviour);
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}
