import type { Redemption, TokenRedeemer } from '../../src/broker/token-redeemer.ts';
import type { Credentials } from '../../src/credentials/credentials.ts';
import { FAKE_CREDENTIALS } from './broker.ts';

/** A redeemer that gives whoever asks what a test says, and remembers what it was asked. */
export interface FakeRedeemer extends TokenRedeemer {
  readonly asked: Redemption[];
  credentials: Credentials;
  /** Thrown instead of an answer. */
  failure: unknown;
}

export function createFakeRedeemer(): FakeRedeemer {
  const redeemer: FakeRedeemer = {
    asked: [],
    credentials: FAKE_CREDENTIALS,
    failure: undefined,
    async redeem(redemption) {
      redeemer.asked.push(redemption);
      if (redeemer.failure !== undefined) throw redeemer.failure;
      return redeemer.credentials;
    },
  };
  return redeemer;
}
