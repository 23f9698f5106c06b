import { type KafkaConfig, logLevel } from 'kafkajs';
import { askToken } from './ask-token.ts';

export interface KafkaConfigOptions {
  /** The path of the service's private socket. */
  readonly socket: string;
  /** On whose behalf tokens are asked for. */
  readonly component: string;
  /** What the brokers have as `sasl.oauthbearer.expected.audience`. */
  readonly audience: string;
  /** `host:port` of some brokers. */
  readonly brokers: string[];
  /** For trying on loopback: whoever reads a token on its way can use it. */
  readonly plaintext: boolean;
}

/** The configuration of a `kafkajs` client whose one credential is a JWT-SVID with the audience of the brokers. */
export function kafkaConfig({ socket, component, audience, brokers, plaintext }: KafkaConfigOptions): KafkaConfig {
  return {
    clientId: component,
    brokers,
    // A private authority of the brokers goes into NODE_EXTRA_CA_CERTS.
    ssl: !plaintext,
    sasl: {
      mechanism: 'oauthbearer',
      // kafkajs asks for each connection, and again before the session on it ends. It is the service that caches and renews.
      oauthBearerProvider: async () => ({ value: await askToken(socket, component, audience) }),
    },
    // Milliseconds before the end of a session, which ends with its token. The service hands out tokens that have ten seconds
    // left. With kafkajs' own threshold, ten seconds too, such a session would be renewed as soon as it is there, and brokers
    // do not let a connection authenticate twice within a second (KIP-368).
    reauthenticationThreshold: 5_000,
    logLevel: logLevel.ERROR,
  };
}
