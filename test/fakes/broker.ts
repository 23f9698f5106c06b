import { SvidxError } from '../../src/base/errors.ts';
import { Secret } from '../../src/base/secret.ts';
import type { Broker } from '../../src/broker/broker.ts';
import type { Credentials } from '../../src/credentials/credentials.ts';
import type { Caller } from '../../src/policy/evaluate.ts';
import type { Audience } from '../../src/spiffe/audience.ts';
import { parseJwtSvidUnverified } from '../../src/spiffe/jwt-svid.ts';

/** A broker that grants everything to everybody, or refuses as a test says, and remembers what it was asked. */
export interface FakeBroker extends Broker {
  readonly asked: { caller: Caller; audience?: Audience; grant?: string; injected?: string }[];
  /** Thrown instead of an answer. */
  failure: unknown;
  /** The credentials that are given out. */
  give: Credentials;
  /** Awaited before each answer. */
  gate: Promise<unknown>;
  /** Resolves once it was asked at least this often. */
  waitForAsked(count: number): Promise<void>;
}

/** 2030-01-01T00:00:00Z, when everything that the fake broker hands out ends. */
export const EXPIRY_SECONDS = 1_893_456_000;

export const FAKE_CREDENTIALS: Credentials = Object.freeze({
  kind: 'aws',
  accessKeyId: 'ASIAEXAMPLEEXAMPLE00',
  secretAccessKey: new Secret('the-secret-access-key'),
  sessionToken: new Secret('the-session-token'),
  expiresAt: EXPIRY_SECONDS * 1000,
  region: 'eu-central-1',
});

export const FAKE_ACCESS_TOKEN: Credentials = Object.freeze({
  kind: 'azure',
  token: new Secret('the-access-token-of-entra'),
  tokenType: 'Bearer',
  expiresAt: EXPIRY_SECONDS * 1000,
});

export function createFakeBroker(): FakeBroker {
  let waiters: { count: number; resolve: () => void }[] = [];

  function note(question: FakeBroker['asked'][number]): void {
    const asked = broker.asked.push(question);
    for (const { count, resolve } of waiters) if (asked >= count) resolve();
    waiters = waiters.filter(({ count }) => asked < count);
  }

  const broker: FakeBroker = {
    asked: [],
    failure: undefined,
    give: FAKE_CREDENTIALS,
    gate: Promise.resolve(),
    waitForAsked(count) {
      if (broker.asked.length >= count) return Promise.resolve();
      return new Promise((resolve) => waiters.push({ count, resolve }));
    },
    async identity(caller, audience) {
      note({ caller, audience });
      await broker.gate;
      if (broker.failure !== undefined) throw broker.failure;
      return parseJwtSvidUnverified(fakeToken(caller.component, audience));
    },
    async injected(caller, grant) {
      note({ caller, injected: grant });
      await broker.gate;
      if (broker.failure !== undefined) throw broker.failure;
      return broker.give;
    },
    async credentials(caller, grant) {
      note({ caller, grant });
      await broker.gate;
      if (broker.failure !== undefined) throw broker.failure;
      return broker.give;
    },
  };
  return broker;
}

/** A JWT-SVID in form; its signature is none. `component` is the last segment of its SPIFFE ID. */
export function fakeToken(component: string, audience: Audience): string {
  const claims = { sub: `spiffe://example.org/${component}`, aud: audience, exp: EXPIRY_SECONDS, iat: 1_767_225_600 };
  const [header, payload] = [{ alg: 'ES256', kid: 'k', typ: 'JWT' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  return `${header}.${payload}.${Buffer.from('no signature').toString('base64url')}`;
}

/** A refusal as the broker throws it: its detail is for the log, and must reach no caller. */
export function refusalWithDetail(): SvidxError {
  return new SvidxError('exchange_denied', 'the trust policy refuses it', { detail: 'DETAIL-FOR-THE-LOG' });
}
