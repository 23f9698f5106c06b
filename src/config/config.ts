import { dirname, resolve } from 'node:path';
import { SvidxError } from '../base/errors.ts';
import { isLoopbackHost } from '../base/http-url.ts';
import type { LogLevel } from '../base/logger.ts';
import { parseYamlDocument, type YamlDocument } from '../base/yaml-document.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import { type ConfigDocument, configDocument } from './document.ts';
import type { Issuer } from './issuer.ts';
import type { ListenAddress } from './listen-address.ts';
import { readNamedText } from './read-file.ts';
import { parseUnixAddress } from './unix-address.ts';

/** Everything a service needs to know, checked and with nothing left to look up. */
export interface Config {
  readonly trustDomain: TrustDomain;
  readonly issuer: Issuer;
  readonly listen: ListenAddress;
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
  const { trustDomain, issuer, policies, http, spire, broker, aws, log } = document.value;
  if (!isLoopbackHost(http.listen.host) && !http.plainHttpBehindProxy) {
    throw new SvidxError(
      'config_invalid',
      `${document.locate(['http', 'listen'])}: http.listen: expected a loopback address, ` +
        'or "plainHttpBehindProxy: true" where a proxy terminates TLS',
    );
  }
  return Object.freeze({
    trustDomain,
    issuer,
    listen: http.listen,
    spireSocket: spireSocket(document, env['SPIRE_ADMIN_ENDPOINT_SOCKET']),
    spireTimeoutMs: spire.timeout * 1000,
    brokerSocket: broker.socket,
    cacheSize: broker.cacheSize,
    policyFolder: resolve(dirname(file), policies),
    stsEndpoint: aws.stsEndpoint,
    logLevel: log.level,
  });
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
