import { z } from 'zod';
import type { Broker } from '../broker/broker.ts';
import { credentialFieldsSchema, credentialsFromFields } from '../credentials/wire.ts';
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

  return {
    async identity({ component, digest }, audience) {
      const { token } = await client.ask('POST', BROKER_PATHS.token, { component, digest, audience }, tokenAnswer);
      return readSvid(token);
    },
    async credentials({ component, digest }, grant) {
      const question = { component, digest, grant };
      return credentialsFromFields(
        await client.ask('POST', BROKER_PATHS.credentials, question, credentialFieldsSchema),
      );
    },
  };
}
