import { resolve } from 'node:path';
import type { YamlDocument } from '../base/yaml-document.ts';
import type { ParsedComponentLimits } from './component-limits.ts';
import type { ComponentRoute } from './component-route.ts';
import type { HostDocument } from './host-document.ts';
import type { ListenAddress } from './listen-address.ts';
import { refuseOpenPlainHttp } from './plain-http.ts';
import { resolveTlsFiles, type TlsFiles } from './tls-files.ts';

/** What `svidx host` runs beside the service. */
export interface HostConfig {
  /** Where the components answer. */
  readonly listen: ListenAddress;
  /** `undefined` for plain HTTP. */
  readonly tls: TlsFiles | undefined;
  /** The absolute path of a folder for compiled components; `undefined` for none. */
  readonly cache: string | undefined;
  /** No two have the same name, or the same route. */
  readonly components: readonly HostedComponentConfig[];
}

export interface HostedComponentConfig {
  /** Its name in the policies. */
  readonly component: string;
  /** The absolute path of its file. */
  readonly file: string;
  readonly route: ComponentRoute;
  readonly limits: ParsedComponentLimits;
}

/**
 * The component host of a configuration.
 * @param folder that of the file, from which its paths go
 * @throws SvidxError `config_invalid` for plain HTTP where it should not be
 */
export function hostConfig({ locate }: YamlDocument<unknown>, host: HostDocument, folder: string): HostConfig {
  refuseOpenPlainHttp(locate, 'host', host);
  return Object.freeze({
    listen: host.listen,
    tls: host.tls && resolveTlsFiles(host.tls, folder),
    cache: host.cache === undefined ? undefined : resolve(folder, host.cache),
    components: Object.freeze(
      host.components.map((component) => Object.freeze({ ...component, file: resolve(folder, component.file) })),
    ),
  });
}
