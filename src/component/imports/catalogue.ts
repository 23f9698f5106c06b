import { SvidxError } from '../../base/errors.ts';
import { scrub } from '../../base/secret.ts';
import type { ComponentRights } from '../../broker/hosting.ts';
import type { WasiInterface } from '../../policy/wasi-interface.ts';

/** One line of a policy that would grant something: a key, and what to add to it. */
interface PolicyLine {
  readonly key: 'audiences' | 'grants' | 'config' | 'egress' | 'wasi';
  readonly value: string;
}

/** An interface that the host has. */
interface KnownInterface {
  /** Without version. */
  readonly name: string;
  /** The versions that the host's own fits. */
  readonly versions: RegExp;
  readonly versionsText: string;
  /** Whether these rights include it. */
  granted(rights: ComponentRights): boolean;
  /** What would include it; `undefined` where nothing is needed. */
  readonly policyLine: PolicyLine | undefined;
}

const WASI_0_2 = { versions: /^0\.2\.(?:0|[1-9]\d*)$/, versionsText: '0.2.0 and later' } as const;

/** There for everybody: nothing behind it reaches out of the component's thread, or it is empty. */
function free(name: string): KnownInterface {
  return { name, ...WASI_0_2, granted: () => true, policyLine: undefined };
}

function wasi(name: string, value: WasiInterface): KnownInterface {
  const granted = (rights: ComponentRights): boolean => rights.wasi.has(value);
  return { name, ...WASI_0_2, granted, policyLine: { key: 'wasi', value } };
}

/** Every interface that the host has, each with the rights it takes. All others are refused. */
const CATALOGUE: readonly KnownInterface[] = [
  {
    name: 'wasmcloud:identity/store',
    versions: /^0\.0\.1$/,
    versionsText: '0.0.1',
    granted: (rights) => rights.identity,
    policyLine: { key: 'audiences', value: 'AUDIENCE' },
  },
  {
    name: 'svidx:credentials/store',
    versions: /^0\.1\.0$/,
    versionsText: '0.1.0',
    granted: (rights) => rights.credentials,
    policyLine: { key: 'grants', value: 'NAME: { ... }' },
  },
  {
    name: 'wasi:config/store',
    versions: /^0\.2\.0-(?:draft|rc\.1)$/,
    versionsText: '0.2.0-draft and 0.2.0-rc.1',
    granted: (rights) => rights.config.size > 0,
    policyLine: { key: 'config', value: 'KEY: VALUE' },
  },

  // An HTTP handler needs the types without any right to send.
  free('wasi:http/types'),
  {
    name: 'wasi:http/outgoing-handler',
    ...WASI_0_2,
    granted: (rights) => rights.egress.length + rights.injections.length > 0,
    policyLine: { key: 'egress', value: 'https://HOST' },
  },

  wasi('wasi:clocks/monotonic-clock', 'clocks'),
  wasi('wasi:clocks/wall-clock', 'clocks'),
  wasi('wasi:random/random', 'random'),
  wasi('wasi:random/insecure', 'random'),
  wasi('wasi:random/insecure-seed', 'random'),
  wasi('wasi:cli/stdin', 'stdio'),
  wasi('wasi:cli/stdout', 'stdio'),
  wasi('wasi:cli/stderr', 'stdio'),

  free('wasi:io/error'),
  free('wasi:io/poll'),
  free('wasi:io/streams'),
  // What toolchains import out of habit: there, and empty.
  free('wasi:cli/environment'),
  free('wasi:cli/exit'),
  free('wasi:cli/terminal-input'),
  free('wasi:cli/terminal-output'),
  free('wasi:cli/terminal-stdin'),
  free('wasi:cli/terminal-stdout'),
  free('wasi:cli/terminal-stderr'),
  free('wasi:filesystem/preopens'),
  free('wasi:filesystem/types'),
  free('wasi:sockets/network'),
  free('wasi:sockets/instance-network'),
  free('wasi:sockets/ip-name-lookup'),
  free('wasi:sockets/tcp'),
  free('wasi:sockets/tcp-create-socket'),
  free('wasi:sockets/udp'),
  free('wasi:sockets/udp-create-socket'),
];

const BY_NAME: ReadonlyMap<string, KnownInterface> = new Map(CATALOGUE.map((known) => [known.name, known]));

/**
 * Lets a component be loaded under a name only if its rights include all that it imports.
 * @param component the name; its policy is what the refusal speaks of
 * @throws SvidxError `component_import_denied`, with every import that is missing and the policy lines that would grant it
 */
export function checkImports(imports: readonly string[], rights: ComponentRights, component: string): void {
  const missing = imports.filter((name) => find(name)?.granted(rights) !== true);
  if (missing.length === 0) return;
  const known = missing.flatMap((name) => find(name) ?? []);
  const advice = [
    ...(known.length === 0 ? [] : [`to grant ${toThem(known, missing)}: ${policyLines(known, rights).join('; ')}`]),
    ...missing.filter((name) => find(name) === undefined).map(unknownInterface),
  ];
  // What mends it goes first: logs cut long messages, and components of some toolchains import much.
  const names = missing.map((name) => scrub(name)).join(', ');
  throw new SvidxError(
    'component_import_denied',
    `the component imports what the policy of ${scrub(JSON.stringify(component))} does not grant; ` +
      [...advice, `missing: ${names}`].join('; '),
  );
}

/** The interface of this name in this version. */
function find(name: string): KnownInterface | undefined {
  const [interfaceName = '', version = ''] = split(name);
  const known = BY_NAME.get(interfaceName);
  return known?.versions.test(version) ? known : undefined;
}

function split(name: string): string[] {
  const at = name.lastIndexOf('@');
  return at === -1 ? [name] : [name.slice(0, at), name.slice(at + 1)];
}

function toThem(known: readonly KnownInterface[], missing: readonly string[]): string {
  if (known.length < missing.length) return known.map(({ name }) => name).join(', ');
  return known.length === 1 ? 'it' : 'them';
}

/** One line for each key, which may replace the one that is there: `wasi` with what the policy has already. */
function policyLines(known: readonly KnownInterface[], rights: ComponentRights): string[] {
  const lines = known.flatMap(({ policyLine }) => policyLine ?? []);
  const values = (wanted: PolicyLine['key']): string[] => [
    ...new Set(lines.filter(({ key }) => key === wanted).map(({ value }) => value)),
  ];
  return [...new Set(lines.map(({ key }) => key))].map((key) => {
    if (key === 'wasi') return `wasi: [${[...new Set([...rights.wasi, ...values('wasi')])].join(', ')}]`;
    const [value = ''] = values(key);
    return key === 'grants' || key === 'config' ? `${key}: { ${value} }` : `${key}: [${value}]`;
  });
}

function unknownInterface(name: string): string {
  const other = BY_NAME.get(split(name)[0] ?? '');
  const has = other === undefined ? '' : `, which has it in version ${other.versionsText}`;
  return `${scrub(name)} is unknown to this host${has}: no policy can grant it`;
}
