import type { AddressRange } from '../base/address-range.ts';
import { SvidxError } from '../base/errors.ts';
import { isLoopbackHost } from '../base/http-url.ts';
import type { YamlDocument } from '../base/yaml-document.ts';
import { type ConfigDocument, DEFAULT_REQUESTS_PER_SECOND } from './document.ts';
import { hostsOf, type Issuer } from './issuer.ts';
import type { ListenAddress } from './listen-address.ts';
import { refuseOpenPlainHttp } from './plain-http.ts';
import { resolveTlsFiles, type TlsFiles } from './tls-files.ts';

/** What the listeners beyond the private socket need to know. */
export interface ListenersConfig {
  /** Where the issuer listens. */
  readonly listen: ListenAddress;
  /** The hosts that the issuer answers to, in lower case, besides loopback names on a loopback address. */
  readonly hosts: readonly string[];
  /** `undefined` for plain HTTP. */
  readonly tls: TlsFiles | undefined;
  /** What one client may ask; `undefined` for no limit. */
  readonly requestsPerSecond: number | undefined;
  readonly trustedProxies: readonly AddressRange[];
  /** A listener for health checks only. */
  readonly healthListen: ListenAddress | undefined;
}

/**
 * The listeners of a configuration.
 * @param folder that of the file, from which its paths go
 * @throws SvidxError `config_invalid` for what would carry more than it should to whom it should not, unless the
 *   configuration says so by name
 */
export function listenersConfig(
  document: YamlDocument<ConfigDocument>,
  issuer: Issuer,
  folder: string,
): ListenersConfig {
  const { http, health } = document.value;
  refuseCareless(document);
  return {
    listen: http.listen,
    hosts: http.hosts ?? hostsOf(issuer),
    tls: http.tls && resolveTlsFiles(http.tls, folder),
    requestsPerSecond: requestsPerSecond(http),
    trustedProxies: http.trustedProxies ?? [],
    healthListen: health.listen,
  };
}

function refuseCareless({ value: { http, health }, locate }: YamlDocument<ConfigDocument>): void {
  const refuse = (key: readonly string[], problem: string): never => {
    throw new SvidxError('config_invalid', `${locate(key)}: ${key.join('.')}: ${problem}`);
  };
  refuseOpenPlainHttp(locate, 'http', http);
  if (http.plainHttpBehindProxy && http.requestsPerSecond !== undefined && http.trustedProxies === undefined) {
    refuse(
      ['http', 'requestsPerSecond'],
      'all clients would share what the proxy may ask: expected "trustedProxies" too',
    );
  }
  if (health.listen !== undefined && !isLoopbackHost(health.listen.host) && !health.plainHttpBeyondLoopback) {
    refuse(['health', 'listen'], 'expected a loopback address, or "plainHttpBeyondLoopback: true"');
  }
}

/**
 * Without TLS of our own whoever connects is a proxy, or a program on this machine: one address for all clients. A limit by
 * default would let any of them use up what the others may ask.
 */
function requestsPerSecond({ requestsPerSecond, tls, trustedProxies }: ConfigDocument['http']): number | undefined {
  if (requestsPerSecond !== undefined) return requestsPerSecond;
  return tls === undefined && trustedProxies === undefined ? undefined : DEFAULT_REQUESTS_PER_SECOND;
}
