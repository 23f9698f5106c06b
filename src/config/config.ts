import { dirname, resolve } from 'node:path';
import { SvidxError } from '../base/errors.ts';
import type { LogLevel } from '../base/logger.ts';
import { parseYamlDocument, type YamlDocument } from '../base/yaml-document.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import { type ConfigDocument, configDocument } from './document.ts';
import { type HostConfig, hostConfig } from './host.ts';
import type { Issuer } from './issuer.ts';
import type { ListenAddress } from './listen-address.ts';
import { type ListenersConfig, listenersConfig } from './listeners.ts';
import { readNamedText } from './read-file.ts';
import { type RemoteHostsConfig, remoteHostsConfig } from './remote-hosts.ts';
import { type TokenEndpointConfig, tokenEndpointConfig } from './token-endpoint.ts';
import { parseUnixAddress } from './unix-address.ts';
import { parseWorkloadAddress } from './workload-address.ts';

/** Where the keys come from that the issuer publishes. */
export type BundleConfig =
  /** `socket`: the absolute path of the SPIRE agent's admin socket. */
  | { readonly from: 'delegatedIdentity'; readonly socket: string }
  /** `target`: the endpoint as gRPC writes it. */
  | { readonly from: 'workloadApi'; readonly target: string }
  /** `caFile`: an absolute path. */
  | { readonly from: 'httpsWeb'; readonly url: string; readonly caFile: string | undefined }
  /** `path`: absolute. */
  | { readonly from: 'file'; readonly path: string };

/** What an issuer alone needs to know, checked and with nothing left to look up. */
export interface IssuerConfig extends ListenersConfig {
  readonly trustDomain: TrustDomain;
  readonly issuer: Issuer;
  readonly bundle: BundleConfig;
  /** Milliseconds. */
  readonly spireTimeoutMs: number;
  readonly logLevel: LogLevel;
}

/** What the whole service needs to know beside that. */
export interface Config extends IssuerConfig {
  /** The absolute path of the SPIRE agent's admin socket. */
  readonly spireSocket: string;
  /** The absolute path of the private socket. */
  readonly brokerSocket: string;
  readonly cacheSize: number;
  /** The absolute path of the policy folder. */
  readonly policyFolder: string;
  readonly stsEndpoint: string | undefined;
  /** The endpoints for SDKs; absent: there are none. */
  readonly endpoints?: EndpointsConfig;
  /** The listener for hosts on other machines; absent: there are none. */
  readonly remoteHosts?: RemoteHostsConfig;
  /** The components of `svidx host`; absent: there are none. */
  readonly host?: HostConfig;
  /** Where JWT-SVIDs are exchanged for grants; `undefined` for nowhere. */
  readonly tokenEndpoint?: TokenEndpointConfig | undefined;
}

export interface EndpointsConfig {
  /** An address of loopback. */
  readonly listen: ListenAddress;
  /** What one session may ask. */
  readonly requestsPerSecond: number;
}

type Env = Readonly<Record<string, string | undefined>>;

/** What says nothing where there is no broker. Whoever writes it may believe that it holds. */
const KEYS_OF_THE_BROKER = [
  ['policies'],
  ['broker', 'socket'],
  ['broker', 'cacheSize'],
  ['tokenEndpoint'],
  ['aws'],
  ['endpoints'],
  ['remoteHosts'],
  ['host'],
];

/**
 * Reads the configuration file.
 * @param file its path
 * @param env the environment, of which two variables are used: `SPIRE_ADMIN_ENDPOINT_SOCKET`, `SPIFFE_ENDPOINT_SOCKET`
 * @returns the configuration of the issuer alone where the file says `broker: {enabled: false}`
 * @throws SvidxError `config_invalid`, naming file, line and key
 */
export async function loadConfig(file: string, env: Env): Promise<Config | IssuerConfig> {
  const document = parseYamlDocument(
    { file, text: await readNamedText(file, 'config_invalid'), errorCode: 'config_invalid' },
    configDocument,
  );
  const { trustDomain, policies, spire, broker, endpoints, remoteHosts, host, aws, log } = document.value;
  const issuer = Object.freeze({ ...document.value.issuer, ...document.value.jwksUri });
  const issuerConfig: IssuerConfig = {
    trustDomain,
    issuer,
    ...listenersConfig(document, issuer, dirname(file)),
    bundle: bundleConfig(document, dirname(file), env),
    spireTimeoutMs: spire.timeout * 1000,
    logLevel: log.level,
  };
  if (!broker.enabled) {
    refuseKeysOfTheBroker(document, issuerConfig.bundle);
    return Object.freeze(issuerConfig);
  }
  return Object.freeze({
    ...issuerConfig,
    spireSocket: spireSocket(document, env),
    brokerSocket: broker.socket,
    cacheSize: broker.cacheSize,
    policyFolder: resolve(dirname(file), policies),
    stsEndpoint: aws.stsEndpoint,
    tokenEndpoint: tokenEndpointOf(document, issuer),
    ...(endpoints.listen === undefined
      ? {}
      : { endpoints: { listen: endpoints.listen, requestsPerSecond: endpoints.requestsPerSecond } }),
    ...(remoteHosts && { remoteHosts: remoteHostsConfig(remoteHosts, dirname(file)) }),
    ...(host && { host: hostConfig(document, host, dirname(file)) }),
  });
}

function tokenEndpointOf(document: YamlDocument<ConfigDocument>, issuer: Issuer): TokenEndpointConfig | undefined {
  const { tokenEndpoint } = document.value;
  if (tokenEndpoint === undefined) return undefined;
  const config = tokenEndpointConfig(issuer, tokenEndpoint.audience);
  if ([config.path, config.metadataPath].includes(issuer.keysPath)) {
    throw new SvidxError(
      'config_invalid',
      `${document.locate(['jwksUri'])}: jwksUri: expected another path: the token endpoint is there`,
    );
  }
  return config;
}

function bundleConfig(document: YamlDocument<ConfigDocument>, folder: string, env: Env): BundleConfig {
  const { workloadApi, httpsWeb, file } = document.value.bundle;
  if (workloadApi !== undefined) {
    return { from: 'workloadApi', target: workloadApi.socket?.target ?? workloadTarget(document, env) };
  }
  if (httpsWeb !== undefined) {
    const { url, caFile } = httpsWeb;
    return { from: 'httpsWeb', url, caFile: caFile === undefined ? undefined : resolve(folder, caFile) };
  }
  if (file !== undefined) return { from: 'file', path: resolve(folder, file.path) };
  return { from: 'delegatedIdentity', socket: spireSocket(document, env) };
}

function refuseKeysOfTheBroker(document: YamlDocument<ConfigDocument>, bundle: BundleConfig): void {
  const unused = bundle.from === 'delegatedIdentity' ? [] : [['spire', 'adminSocket']];
  const written = [...KEYS_OF_THE_BROKER, ...unused].filter(document.has);
  if (written.length === 0) return;
  const lines = written.map(
    (path) => `${document.locate(path)}: ${path.join('.')}: says nothing with "broker.enabled: false"`,
  );
  throw new SvidxError('config_invalid', lines.join('\n'));
}

function spireSocket(document: YamlDocument<ConfigDocument>, env: Env): string {
  const configured = document.value.spire.adminSocket;
  if (configured !== undefined) return configured.path;
  const missing = `${document.locate(['spire'])}: spire.adminSocket`;
  return fromEnvironment(env, 'SPIRE_ADMIN_ENDPOINT_SOCKET', missing, parseUnixAddress).path;
}

function workloadTarget(document: YamlDocument<ConfigDocument>, env: Env): string {
  const missing = `${document.locate(['bundle', 'workloadApi'])}: bundle.workloadApi.socket`;
  return fromEnvironment(env, 'SPIFFE_ENDPOINT_SOCKET', missing, parseWorkloadAddress).target;
}

/** The address in a variable, where the file has none. A variable that is set to nothing counts as not set. */
function fromEnvironment<T extends object>(
  env: Env,
  name: string,
  missing: string,
  parse: (text: string) => T | { readonly problem: string },
): T {
  const text = env[name];
  if (text === undefined || text === '') {
    throw new SvidxError('config_invalid', `${missing}: is missing, and ${name} is not set`);
  }
  const address = parse(text);
  if (!('problem' in address)) return address;
  throw new SvidxError('config_invalid', `${name}: ${address.problem}`);
}
