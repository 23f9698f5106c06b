import { type Backoff, backoffDelay } from '../../base/backoff.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { ReceivedTokenFile, TokenFileClient } from '../../http/token-file-client.ts';
import { AMBIENT_VARIABLES, NO_AWS_PROFILES } from './ambient.ts';
import type { EnvironmentProvider } from './environment.ts';
import { makePrivateFolder } from './private-folder.ts';

export interface TokenFileOptions {
  readonly client: TokenFileClient;
  readonly component: string;
  /** A grant that the policy has in a file. */
  readonly grant: { readonly name: string; readonly kind: 'aws' | 'azure' };
  /** `XDG_RUNTIME_DIR`, if it is set. */
  readonly runtimeFolder: string | undefined;
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
  readonly logger: Logger;
}

/** The waits after a failure. The token in the file is good for as long as it lives. */
const RETRY: Backoff = { firstMs: 1_000, maxMs: 30_000 };

/** The service may have the same token still, since it renews at half of the life as well: then it is asked again. */
const MIN_WAIT_MS = 1_000;

/**
 * A JWT-SVID in a file, replaced at half of its life, for programs that read nothing else; gone when the program has
 * ended. The policy must list the grant under `files`.
 */
export function tokenFileProvider(options: TokenFileOptions): EnvironmentProvider {
  const { client, component, grant, clock, random, logger } = options;
  return {
    name: `the token file of the grant ${JSON.stringify(grant.name)}`,
    async open() {
      const first = await client.get({ component }, grant.name);
      const folder = await makePrivateFolder(options.runtimeFolder, clock);
      const path = await folder.write(grant.name, first.token.reveal()).catch(async (error: unknown) => {
        await folder.remove();
        throw error;
      });
      let timer: Timer = { cancel: () => {} };
      let writing: Promise<unknown> = Promise.resolve();
      let closed = false;

      function renewAfter(ms: number, failures: number): void {
        if (closed) return;
        timer = clock.after(ms, () => void renew(failures));
      }

      async function renew(failures: number): Promise<void> {
        try {
          const next = await client.get({ component }, grant.name);
          if (closed) return;
          writing = folder.write(grant.name, next.token.reveal());
          await writing;
          renewAfter(halfOfLife(next), 0);
        } catch (error) {
          logger.warn(
            { event: 'exec.token_file_not_renewed', grant: grant.name, error },
            'keeping the token in the file',
          );
          renewAfter(backoffDelay(failures, RETRY, random), failures + 1);
        }
      }

      function halfOfLife({ expiresAt }: ReceivedTokenFile): number {
        return Math.max(MIN_WAIT_MS, (expiresAt - clock.now()) / 2);
      }

      renewAfter(halfOfLife(first), 0);
      return {
        env: {
          ...first.variables.others,
          ...(grant.kind === 'aws' ? NO_AWS_PROFILES : {}),
          [first.variables.file]: path,
        },
        without: AMBIENT_VARIABLES[grant.kind],
        async close() {
          closed = true;
          timer.cancel();
          // A file that is being written would be in the way of removing its folder.
          await writing.catch(() => {});
          await folder.remove();
        },
      };
    },
  };
}
