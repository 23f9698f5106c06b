import { describe, expect, test } from 'vitest';
import { scrub } from '../../../src/base/secret.ts';
import type { ComponentRights } from '../../../src/broker/hosting.ts';
import { checkImports } from '../../../src/component/imports/catalogue.ts';
import { EMPTY_WASI } from '../../../src/component/imports/wasi-empty.ts';
import { refusal } from '../../support/errors.ts';

const NOTHING: ComponentRights = {
  identity: false,
  credentials: false,
  wasi: new Set(),
  config: new Map(),
  egress: [],
  injections: [],
};

const EVERYTHING: ComponentRights = {
  identity: true,
  credentials: true,
  wasi: new Set(['clocks', 'random', 'stdio']),
  config: new Map([['GREETING', 'hello']]),
  egress: [{ scheme: 'https', host: 'api.example.com', port: 443, path: '/', addresses: [] }],
  injections: [],
};

const INJECTIONS: ComponentRights['injections'] = [
  {
    grant: 'bedrock',
    injection: { scheme: 'https', host: 'bedrock-runtime.us-east-1.amazonaws.com', port: 443, service: 'bedrock' },
    region: 'us-east-1',
  },
];

/** Each right alone, what it gives, and the line that would give it. */
const RIGHTS: readonly (readonly [string, Partial<ComponentRights>, readonly string[], string])[] = [
  ['identity', { identity: true }, ['wasmcloud:identity/store@0.0.1'], 'audiences: [AUDIENCE]'],
  ['credentials', { credentials: true }, ['svidx:credentials/store@0.1.0'], 'grants: { NAME: { ... } }'],
  [
    'config',
    { config: EVERYTHING.config },
    ['wasi:config/store@0.2.0-draft', 'wasi:config/store@0.2.0-rc.1'],
    'config: { KEY: VALUE }',
  ],
  ['egress', { egress: EVERYTHING.egress }, ['wasi:http/outgoing-handler@0.2.10'], 'egress: [https://HOST]'],
  ['an injection', { injections: INJECTIONS }, ['wasi:http/outgoing-handler@0.2.0'], 'egress: [https://HOST]'],
  [
    'clocks',
    { wasi: new Set(['clocks']) },
    ['wasi:clocks/monotonic-clock@0.2.3', 'wasi:clocks/wall-clock@0.2.3'],
    'wasi: [clocks]',
  ],
  [
    'random',
    { wasi: new Set(['random']) },
    ['wasi:random/random@0.2.12', 'wasi:random/insecure@0.2.1', 'wasi:random/insecure-seed@0.2.3'],
    'wasi: [random]',
  ],
  [
    'stdio',
    { wasi: new Set(['stdio']) },
    ['wasi:cli/stdin@0.2.3', 'wasi:cli/stdout@0.2.3', 'wasi:cli/stderr@0.2.3'],
    'wasi: [stdio]',
  ],
];

/** What everybody has, in some version of 0.2. */
const FREE = [
  'wasi:http/types@0.2.10',
  'wasi:io/error@0.2.0',
  'wasi:io/poll@0.2.3',
  'wasi:io/streams@0.2.12',
  'wasi:cli/environment@0.2.3',
  'wasi:cli/exit@0.2.3',
  'wasi:cli/terminal-input@0.2.3',
  'wasi:cli/terminal-output@0.2.3',
  'wasi:cli/terminal-stdin@0.2.3',
  'wasi:cli/terminal-stdout@0.2.3',
  'wasi:cli/terminal-stderr@0.2.3',
  'wasi:filesystem/preopens@0.2.3',
  'wasi:filesystem/types@0.2.3',
  'wasi:sockets/network@0.2.3',
  'wasi:sockets/instance-network@0.2.3',
  'wasi:sockets/ip-name-lookup@0.2.3',
  'wasi:sockets/tcp@0.2.3',
  'wasi:sockets/tcp-create-socket@0.2.3',
  'wasi:sockets/udp@0.2.3',
  'wasi:sockets/udp-create-socket@0.2.3',
];

const denied = (imports: readonly string[], rights: ComponentRights, component = 'ledger') =>
  refusal(() => checkImports(imports, rights, component));

const START = 'the component imports what the policy of "ledger" does not grant;';

describe('without any right', () => {
  test('what reaches nothing may be imported, and nothing need be', () => {
    checkImports(FREE, NOTHING, 'ledger');
    checkImports([], NOTHING, 'ledger');
  });

  test.each(RIGHTS)('what %s would give is refused, with the line that would give it', async (_, __, imports, line) => {
    for (const name of imports) {
      expect(await denied([name], NOTHING)).toMatchObject({
        code: 'component_import_denied',
        message: `${START} to grant it: ${line}; missing: ${name}`,
      });
    }
  });
});

describe('each right', () => {
  test.each(RIGHTS)('%s, gives what it says and nothing else', async (_, rights, imports) => {
    const given = { ...NOTHING, ...rights };
    checkImports([...imports, ...FREE], given, 'ledger');
    const others = RIGHTS.flatMap(([, , names]) => names).filter(
      (name) => !imports.some((own) => own.split('@')[0] === name.split('@')[0]),
    );
    for (const other of others) {
      expect(await denied([...imports, other], given)).toMatchObject({
        message: expect.stringMatching(new RegExp(`; missing: ${other}$`)),
      });
    }
  });
});

describe('with every right', () => {
  test('everything the host has may be imported', () => {
    checkImports([...FREE, ...RIGHTS.flatMap(([, , names]) => names)], EVERYTHING, 'ledger');
  });

  test.each([
    ['a function', 'steal'],
    ['an interface of nobody', 'a:b/c'],
    ['another interface of a given package', 'wasmcloud:identity/other@0.0.1'],
    ['one whose name begins like a given one', 'wasi:io/poller@0.2.3'],
    ['a given one of another package', 'evil:io/poll@0.2.3'],
    ['key-value stores', 'wasi:keyvalue/store@0.2.0-draft'],
    ['secrets', 'wasmcloud:secrets/store@0.1.0-draft'],
    ['an exporting side', 'wasi:http/incoming-handler@0.2.10'],
    ['a clock that the host does not have', 'wasi:clocks/timezone@0.2.3'],
    ['a name of Object.prototype', '__proto__@0.2.0'],
    ['nothing', ''],
    ['no more than a version', '@0.2.3'],
  ])('%s is refused as unknown', async (_, name) => {
    expect(await denied([name], EVERYTHING)).toMatchObject({
      code: 'component_import_denied',
      message: `${START} ${name} is unknown to this host: no policy can grant it; missing: ${name}`,
    });
  });

  test.each([
    ['wasmcloud:identity/store@0.0.2', '0.0.1'],
    ['wasmcloud:identity/store@0.0.1-rc', '0.0.1'],
    ['wasmcloud:identity/store@0.0.10', '0.0.1'],
    ['wasmcloud:identity/store@00.0.1', '0.0.1'],
    ['wasmcloud:identity/store', '0.0.1'],
    ['svidx:credentials/store@0.1.1', '0.1.0'],
    ['svidx:credentials/store@0.1.0+build', '0.1.0'],
    ['wasi:config/store@0.2.0', '0.2.0-draft and 0.2.0-rc.1'],
    ['wasi:config/store@0.2.0-rc-1', '0.2.0-draft and 0.2.0-rc.1'],
    ['wasi:cli/environment@0.3.0', '0.2.0 and later'],
    ['wasi:cli/environment@0.2.0-rc-2023-11-10', '0.2.0 and later'],
    ['wasi:cli/environment@0.2', '0.2.0 and later'],
    ['wasi:cli/environment@0.20.0', '0.2.0 and later'],
    ['wasi:cli/environment@0.2.03', '0.2.0 and later'],
    ['wasi:cli/environment@10.2.0', '0.2.0 and later'],
    ['wasi:cli/environment@0.2.3\n', '0.2.0 and later'],
    ['wasi:cli/environment', '0.2.0 and later'],
    ['wasi:http/types@0.2.10@0.2.10', undefined],
  ])('%j is refused, with the version that the host has', async (name, version) => {
    const { code, message } = await denied([name], EVERYTHING);
    expect(code).toBe('component_import_denied');
    const has = version === undefined ? '' : `, which has it in version ${version}`;
    expect(message).toContain(`is unknown to this host${has}: no policy can grant it`);
  });
});

describe('the refusal', () => {
  test('lists everything that is missing, and nothing that is not', async () => {
    const rights: ComponentRights = { ...NOTHING, identity: true, wasi: new Set(['stdio']) };
    const imports = [
      'wasi:io/poll@0.2.3',
      'wasi:random/random@0.2.3',
      'wasmcloud:identity/store@0.0.1',
      'wasi:clocks/wall-clock@0.2.3',
      'a:b/c@1.0.0',
      'wasi:http/outgoing-handler@0.2.3',
      'wasi:clocks/monotonic-clock@0.2.3',
    ];
    expect((await denied(imports, rights)).message).toBe(
      `${START} to grant wasi:random/random, wasi:clocks/wall-clock, wasi:http/outgoing-handler, ` +
        'wasi:clocks/monotonic-clock: wasi: [stdio, random, clocks]; egress: [https://HOST]; ' +
        'a:b/c@1.0.0 is unknown to this host: no policy can grant it; ' +
        'missing: wasi:random/random@0.2.3, wasi:clocks/wall-clock@0.2.3, a:b/c@1.0.0, ' +
        'wasi:http/outgoing-handler@0.2.3, wasi:clocks/monotonic-clock@0.2.3',
    );
  });

  test('says "them" where there are several', async () => {
    expect((await denied(['svidx:credentials/store@0.1.0', 'wasi:config/store@0.2.0-draft'], NOTHING)).message).toBe(
      `${START} to grant them: grants: { NAME: { ... } }; config: { KEY: VALUE }; ` +
        'missing: svidx:credentials/store@0.1.0, wasi:config/store@0.2.0-draft',
    );
  });

  test('says what mends it where a log, which cuts it, still has that', async () => {
    const { message } = await denied([...FREE, ...RIGHTS.flatMap(([, , names]) => names)], NOTHING);
    expect(message.length).toBeGreaterThan(300);
    for (const [, , , line] of RIGHTS) expect(scrub(message)).toContain(line.replace(/^wasi: \[(.*)\]$/, '$1'));
  });

  test('carries no line of its own, whatever the names hold', async () => {
    const { message } = await denied(['a\nb\u001b[31m', 'x'.repeat(100_000)], NOTHING, 'led\n"ger');
    for (const control of ['\n', '\u001b']) expect(message).not.toContain(control);
    expect(message.length).toBeLessThan(5_000);
  });
});

test('whatever the host gives to every component is in the catalogue', () => {
  checkImports(
    Object.keys(EMPTY_WASI).map((name) => `${name}@0.2.3`),
    EVERYTHING,
    'ledger',
  );
});
