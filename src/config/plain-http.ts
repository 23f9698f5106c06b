import { SvidxError } from '../base/errors.ts';
import { isLoopbackHost } from '../base/http-url.ts';
import type { YamlDocument } from '../base/yaml-document.ts';
import type { ListenAddress } from './listen-address.ts';

/** What a section of the configuration says about the listener that it opens. */
export interface ListenerSection {
  readonly listen: ListenAddress;
  readonly plainHttpBehindProxy: boolean;
  readonly tls?: object | undefined;
}

/**
 * Refuses plain HTTP beyond loopback, unless the configuration says by name that a proxy terminates TLS.
 * @param key the section's own, such as `http`
 * @throws SvidxError `config_invalid`
 */
export function refuseOpenPlainHttp(
  locate: YamlDocument<unknown>['locate'],
  key: string,
  { listen, plainHttpBehindProxy, tls }: ListenerSection,
): void {
  const refuse = (name: string, problem: string): never => {
    throw new SvidxError('config_invalid', `${locate([key, name])}: ${key}.${name}: ${problem}`);
  };
  if (!isLoopbackHost(listen.host) && !plainHttpBehindProxy && tls === undefined) {
    refuse(
      'listen',
      'expected a loopback address, or "tls", or "plainHttpBehindProxy: true" where a proxy terminates TLS',
    );
  }
  if (plainHttpBehindProxy && tls !== undefined) {
    refuse('plainHttpBehindProxy', 'the listener speaks TLS: expected either this or "tls"');
  }
}
