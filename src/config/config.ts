import { dirname, resolve } from 'node:path';
import { SvidxError } from '../base/errors.ts';
import type { LogLevel } from '../base/logger.ts';
import { parseYamlDocument, type YamlDocument } from '../base/yaml-document.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import type { AddressRange } from './address-range.ts';
import { type ConfigDocument, configDocument, DEFAULT_REQUESTS_PER_SECOND } from './document.ts';
import { hostsOf, type Issuer } from './issuer.ts';
import { isLoopbackHost, type ListenAddress } from './listen-address.ts';
import { readNamedText } from './read-file.ts';
import type { TlsFiles } from './tls-files.ts';
import { parseUnixAddress } from './unix-address.ts';

/** Everything a service needs to know, checked and with nothing left to look up. */
export interface Config {
  readonly trustDomain: TrustDomain;
  readonly issuer: Issuer;
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
  /** The absolute path of the SPIRE agent's admin socket. */
  readonly spireSocket: string;
  /** Milliseconds. */
  readonly spireTimeoutMs: number;
  /** The absolute path of the private socket. */
  readonly brokerSocket: string;
  readonly cacheSize: number;
  /** The absolute path of the policy folder. */
  readonly policyFolder: string;
  readonly stsEndpoint: string | undefined;
  readonly logLevel: LogLevel;
}

/**
 * Reads the configuration file.
 * @param file its path
 * @param env the environment, of which one variable is used: `SPIRE_ADMIN_ENDPOINT_SOCKET`
 * @throws SvidxError `config_invalid`, naming file, line and key
 */
export async function loadConfig(file: string, env: Readonly<Record<string, string | undefined>>): Promise<Config> {
  const document = parseYamlDocument(
    { file, text: await readNamedText(file, 'config_invalid'), errorCode: 'config_invalid' },
    configDocument,
  );
  const { trustDomain, policies, http, spire, broker, health, aws, log } = document.value;
  refuseCarelessListeners(document);
  const issuer = Object.freeze({ ...document.value.issuer, ...document.value.jwksUri });
  return Object.freeze({
    trustDomain,
    issuer,
    listen: http.listen,
    hosts: http.hosts ?? hostsOf(issuer),
    tls: http.tls && {
      certFile: resolve(dirname(file), http.tls.certFile),
      keyFile: resolve(dirname(file), http.tls.keyFile),
    },
    requestsPerSecond: requestsPerSecond(http),
    trustedProxies: http.trustedProxies ?? [],
    healthListen: health.listen,
    spireSocket: spireSocket(document, env['SPIRE_ADMIN_ENDPOINT_SOCKET']),
    spireTimeoutMs: spire.timeout * 1000,
    brokerSocket: broker.socket,
    cacheSize: broker.cacheSize,
    policyFolder: resolve(dirname(file), policies),
    stsEndpoint: aws.stsEndpoint,
    logLevel: log.level,
  });
}

/** What would carry more than it should to whom it should not, unless the configuration says so by name. */
function refuseCarelessListeners({ value: { http, health }, locate }: YamlDocument<ConfigDocument>): void {
  const refuse = (key: readonly string[], problem: string): never => {
    throw new SvidxError('config_invalid', `${locate(key)}: ${key.join('.')}: ${problem}`);
  };
  if (!isLoopbackHost(http.listen.host) && !http.plainHttpBehindProxy && http.tls === undefined) {
    refuse(
      ['http', 'listen'],
      'expected a loopback address, or "tls", or "plainHttpBehindProxy: true" where a proxy terminates TLS',
    );
  }
  if (http.plainHttpBehindProxy && http.tls !== undefined) {
    refuse(['http', 'plainHttpBehindProxy'], 'the listener speaks TLS: expected either this or "tls"');
  }
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

function spireSocket(document: YamlDocument<ConfigDocument>, fromEnv: string | undefined): string {
  const configured = document.value.spire.adminSocket;
  if (configured !== undefined) return configured.path;
  if (fromEnv === undefined || fromEnv === '') {
    throw new SvidxError(
      'config_invalid',
      `${document.locate(['spire'])}: spire.adminSocket: is missing, and SPIRE_ADMIN_ENDPOINT_SOCKET is not set`,
    );
  }
  const address = parseUnixAddress(fromEnv);
  if ('path' in address) return address.path;
  throw new SvidxError('config_invalid', `SPIRE_ADMIN_ENDPOINT_SOCKET: ${address.problem}`);
}
