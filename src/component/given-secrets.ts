import type { Secret } from '../base/secret.ts';
import type { Broker } from '../broker/broker.ts';
import { secretsOf } from '../credentials/credentials.ts';

/** How many secrets of one component are remembered: far more than it can have that are still valid. */
const MAX_REMEMBERED = 100;

/** Remembers what a component was given, since it may print it, or fail with it, and both end up in logs. */
export interface GivenSecrets {
  /** The same broker, listened to. */
  readonly broker: Broker;
  all(): readonly Secret[];
}

export function rememberSecrets(broker: Broker): GivenSecrets {
  // A Map keeps the order in which they came; the same one again moves to the end.
  const given = new Map<string, Secret>();

  function remember(secrets: readonly Secret[]): void {
    for (const secret of secrets) {
      const value = secret.reveal();
      given.delete(value);
      given.set(value, secret);
    }
    for (const oldest of [...given.keys()].slice(0, -MAX_REMEMBERED)) given.delete(oldest);
  }

  return {
    broker: {
      async identity(caller, audience) {
        const svid = await broker.identity(caller, audience);
        remember([svid.token]);
        return svid;
      },
      async credentials(caller, grant, patience) {
        const credentials = await broker.credentials(caller, grant, patience);
        remember(secretsOf(credentials));
        return credentials;
      },
      // What is injected never reaches the component.
      injected: (caller, grant) => broker.injected(caller, grant),
    },
    all: () => [...given.values()],
  };
}
