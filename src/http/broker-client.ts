import { z } from 'zod';
import type { Broker } from '../broker/broker.ts';
import type { Credentials } from '../credentials/credentials.ts';
import { credentialFieldsSchema, credentialsFromFields } from '../credentials/wire.ts';
import type { Caller } from '../policy/evaluate.ts';
import { type JwtSvid, parseJwtSvidUnverified } from '../spiffe/jwt-svid.ts';
import { BROKER_PATHS, type TokenFields } from './broker-wire.ts';
import { createSocketClient } from './socket-client.ts';

const tokenAnswer = z.object({ token: z.string() }) satisfies z.ZodType<Pick<TokenFields, 'token'>>;

/**
 * The broker of a service that runs elsewhere on this machine, over its private socket.
 *
 * Its errors come back with the codes they had there, and `service_unreachable` where nothing answers.
 */
export function createBrokerClient(socketPath: string): Broker {
  const client = createSocketClient(socketPath);

  function readSvid(token: string): JwtSvid {
    try {
      return parseJwtSvidUnverified(token);
    } catch {
      throw client.strange();
    }
  }

  async function askCredentials(path: string, { component, digest }: Caller, grant: string): Promise<Credentials> {
    return credentialsFromFields(await client.ask('POST', path, { component, digest, grant }, credentialFieldsSchema));
  }

  return {
    async identity({ component, digest }, audience) {
      const { token } = await client.ask('POST', BROKER_PATHS.token, { component, digest, audience }, tokenAnswer);
      return readSvid(token);
    },
    credentials: (caller, grant) => askCredentials(BROKER_PATHS.credentials, caller, grant),
    injected: (caller, grant) => askCredentials(BROKER_PATHS.injected, caller, grant),
  };
}
