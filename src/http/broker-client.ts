import { z } from 'zod';
import type { Broker } from '../broker/broker.ts';
import { credentialFieldsSchema, credentialsFromFields } from '../credentials/wire.ts';
import { type JwtSvid, parseJwtSvidUnverified } from '../spiffe/jwt-svid.ts';
import { BROKER_PATHS, type TokenFields } from './broker-wire.ts';
import { createPrivateSocketClient } from './private-socket-client.ts';

const tokenAnswer = z.object({ token: z.string() }) satisfies z.ZodType<Pick<TokenFields, 'token'>>;

/**
 * The broker of a service that runs elsewhere on this machine, over its private socket.
 *
 * Its errors come back with the codes they had there, and `service_unreachable` where nothing answers.
 */
export function createBrokerClient(socketPath: string): Broker {
  const { ask, strange } = createPrivateSocketClient(socketPath);

  function readSvid(token: string): JwtSvid {
    try {
      return parseJwtSvidUnverified(token);
    } catch {
      throw strange();
    }
  }

  return {
    async identity({ component, digest }, audience) {
      const { token } = await ask(BROKER_PATHS.token, { component, digest, audience }, tokenAnswer);
      return readSvid(token);
    },
    async credentials({ component, digest }, grant) {
      const fields = await ask(BROKER_PATHS.credentials, { component, digest, grant }, credentialFieldsSchema);
      return credentialsFromFields(fields);
    },
  };
}
