import { z } from 'zod';
import { Secret } from '../base/secret.ts';
import type { Caller } from '../policy/evaluate.ts';
import { TOKEN_FILE_PATH, type TokenFileFields } from './broker-wire.ts';
import { createSocketClient } from './socket-client.ts';

const tokenFileAnswer = z.object({
  file: z.string(),
  others: z.record(z.string(), z.string()),
  expiresAt: z.iso.datetime(),
  token: z.string().min(1),
}) satisfies z.ZodType<TokenFileFields>;

/** A JWT-SVID for a file, had from a service elsewhere on this machine. */
export interface ReceivedTokenFile {
  readonly token: Secret;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** The variable that names the file, and the others that go with it. */
  readonly variables: { readonly file: string; readonly others: Readonly<Record<string, string>> };
}

export interface TokenFileClient {
  /** @throws SvidxError `policy_denied`, `identity_*`, `service_unreachable` */
  get(caller: Caller, grant: string): Promise<ReceivedTokenFile>;
}

export function createTokenFileClient(brokerSocket: string): TokenFileClient {
  const client = createSocketClient(brokerSocket);
  return {
    async get({ component, digest }, grant) {
      const answer = await client.ask('POST', TOKEN_FILE_PATH, { component, digest, grant }, tokenFileAnswer);
      return {
        token: new Secret(answer.token),
        expiresAt: Date.parse(answer.expiresAt),
        variables: { file: answer.file, others: answer.others },
      };
    },
  };
}
