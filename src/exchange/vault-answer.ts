import { z } from 'zod';
import { SvidxError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import type { VaultToken } from '../credentials/credentials.ts';
import type { VaultGrant } from '../credentials/grants/vault.ts';
import { bearerToken } from './access-token-answer.ts';
import { describeAnswer, jsonBody, type Outcome, type UpstreamAnswer } from './upstream.ts';
import { readVaultRefusal, vaultError } from './vault-errors.ts';

/** A token and for how long it was given, in milliseconds. */
export interface Lease {
  readonly token: VaultToken;
  readonly leaseMs: number;
}

/** The `auth` block of a login or renewal (HTTP API, auth methods and auth/token/renew-self). */
const authAnswer = z.object({
  auth: z.object({
    client_token: bearerToken,
    // Seconds.
    lease_duration: z
      .int()
      .min(0)
      .max(2 ** 31 - 1),
    renewable: z.boolean(),
    num_uses: z.int().min(0).default(0),
  }),
});

/** With a second factor pending there is a requirement, and no token. */
const mfaAnswer = z.object({ auth: z.object({ mfa_requirement: z.object({ mfa_request_id: z.string() }) }) });

const wrappedAnswer = z.object({ wrap_info: z.object({ token: z.string() }) });

const UNUSABLE = 'Vault answered without a usable token';

/**
 * The token of an answer to a login or a renewal.
 * @param secrets what was sent
 */
export function readVaultLease(answer: UpstreamAnswer, grant: VaultGrant, secrets: readonly Secret[]): Outcome<Lease> {
  if (answer.status !== 200) return readVaultRefusal(answer, secrets);
  const body = jsonBody(answer);
  if (mfaAnswer.safeParse(body).success) return refused('exchange_denied', MFA_REQUIRED);
  if (wrappedAnswer.safeParse(body).success) return refused('exchange_response_invalid', UNUSABLE, 'it is wrapped');
  const { data } = authAnswer.safeParse(body);
  if (data === undefined) {
    return { error: vaultError('exchange_response_invalid', describeAnswer(answer), secrets), mayPass: false };
  }
  const { client_token, lease_duration, renewable, num_uses } = data.auth;
  if (num_uses > 0) return refused('exchange_response_invalid', LIMITED_USES, `num_uses is ${num_uses}`);
  if (lease_duration === 0) return refused('exchange_response_invalid', UNUSABLE, 'it does not expire');
  const leaseMs = lease_duration * 1000;
  const token: VaultToken = Object.freeze({
    kind: 'vault',
    token: new Secret(client_token),
    expiresAt: answer.sentAt + leaseMs,
    address: grant.address,
    namespace: grant.namespace,
    renewable,
  });
  return { value: { token, leaseMs } };
}

const MFA_REQUIRED =
  'Vault asks for a second factor, which a component has none of: exempt this auth method from login MFA';

/** The token goes to every caller that may have it, and would be used up by any of them. */
const LIMITED_USES = 'Vault gives a token of limited uses, which cannot be shared: set token_num_uses=0 on the role';

function refused(code: 'exchange_denied' | 'exchange_response_invalid', message: string, detail?: string) {
  return { error: new SvidxError(code, message, { detail }), mayPass: false };
}
