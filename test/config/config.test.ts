import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EXIT_CODE } from '../../src/commands/exit-codes.ts';
import { type BundleConfig, type Config, type IssuerConfig, loadConfig } from '../../src/config/config.ts';
import { refusal } from '../support/errors.ts';
import { tempFolder } from '../support/temp.ts';

const LEAST = 'trustDomain: example.org\nissuer: https://oidc.example.org\n';
const SOCKET = { SPIRE_ADMIN_ENDPOINT_SOCKET: 'unix:///run/env/admin.sock' };

type Env = Readonly<Record<string, string | undefined>>;

async function configFile(text: string | Uint8Array): Promise<string> {
  const file = join(await tempFolder(), 'svidx.yaml');
  await writeFile(file, text);
  return file;
}

/** The configuration of a service with a broker. */
async function load(text: string, env: Env = SOCKET): Promise<Config> {
  return withBroker(await loadConfig(await configFile(text), env));
}

function withBroker(config: Config | IssuerConfig): Config {
  if (!('brokerSocket' in config)) throw new Error('the configuration of an issuer alone');
  return config;
}

/** What is said of a configuration, a line for each problem, without the folder of the file. */
async function problems(text: string | Uint8Array, env: Env = SOCKET): Promise<string[]> {
  const file = await configFile(text);
  const error = await refusal(loadConfig(file, env));
  expect(error.code).toBe('config_invalid');
  expect(EXIT_CODE[error.code]).toBe(2);
  return error.message.split('\n').map((line) => line.replace(file, 'svidx.yaml'));
}

describe('a configuration', () => {
  test('of the two required keys has a default for everything else', async () => {
    const file = await configFile(LEAST);
    const config = await loadConfig(file, SOCKET);
    expect(config).toMatchObject({
      listen: { host: '127.0.0.1', port: 8080 },
      bundle: { from: 'delegatedIdentity', socket: '/run/env/admin.sock' },
      spireSocket: '/run/env/admin.sock',
      spireTimeoutMs: 10_000,
      brokerSocket: '/run/svidx/broker.sock',
      cacheSize: 10_000,
      policyFolder: join(file, '../policies'),
      stsEndpoint: undefined,
      logLevel: 'info',
    });
    expect(config.trustDomain.name).toBe('example.org');
    expect(config.issuer.url).toBe('https://oidc.example.org');
    expect(Object.isFrozen(config)).toBe(true);
  });

  test('may say everything', async () => {
    const config = await load(
      `trustDomain: other.example.org
issuer: https://oidc.example.org/other
policies: /etc/svidx/policies
http: { listen: "0.0.0.0:443", plainHttpBehindProxy: true }
spire: { adminSocket: "unix:///run/spire/admin.sock", timeout: 20s }
broker: { socket: /run/b.sock, cacheSize: 1000000 }
aws: { stsEndpoint: "https://vpce-1.sts.us-east-1.vpce.amazonaws.com" }
log: { level: trace }
`,
      {},
    );
    expect(config).toMatchObject({
      issuer: { keysPath: '/other/keys' },
      policyFolder: '/etc/svidx/policies',
      listen: { host: '0.0.0.0', port: 443 },
      spireSocket: '/run/spire/admin.sock',
      spireTimeoutMs: 20_000,
      brokerSocket: '/run/b.sock',
      cacheSize: 1_000_000,
      stsEndpoint: 'https://vpce-1.sts.us-east-1.vpce.amazonaws.com',
      logLevel: 'trace',
    });
  });

  test('finds its policies beside itself, wherever the command runs and however the file is named', async () => {
    const file = await configFile(`${LEAST}policies: ../elsewhere\n`);
    const expected = join(file, '../../elsewhere');
    expect(withBroker(await loadConfig(file, SOCKET)).policyFolder).toBe(expected);
    expect(withBroker(await loadConfig(relative(process.cwd(), file), SOCKET)).policyFolder).toBe(expected);
  });

  test('that is a link finds its policies beside the link', async () => {
    const folder = await tempFolder();
    await mkdir(join(folder, 'real'));
    await writeFile(join(folder, 'real/svidx.yaml'), LEAST);
    await symlink(join(folder, 'real/svidx.yaml'), join(folder, 'link.yaml'));
    expect(withBroker(await loadConfig(join(folder, 'link.yaml'), SOCKET)).policyFolder).toBe(join(folder, 'policies'));
  });

  test.each([
    ['http: { listen: "[::1]:0" }', { listen: { host: '::1', port: 0 } }],
    ['http: { listen: "localhost:1" }', { listen: { host: '127.0.0.1', port: 1 } }],
    ['spire: { timeout: 1s }', { spireTimeoutMs: 1_000 }],
    ['broker: { cacheSize: 1 }', { cacheSize: 1 }],
    ['aws: { stsEndpoint: "http://127.0.0.1:1" }', { stsEndpoint: 'http://127.0.0.1:1' }],
    ['aws: { stsEndpoint: "http://localhost:1" }', { stsEndpoint: 'http://localhost:1' }],
    ['log: { level: silent }', { logLevel: 'silent' }],
  ])('may have %s', async (line, expected) => {
    expect(await load(`${LEAST}${line}\n`)).toMatchObject(expected);
  });
});

describe("the SPIRE agent's socket", () => {
  test('is the one that is configured, whatever the environment says', async () => {
    const text = `${LEAST}spire: { adminSocket: "unix:///run/a.sock" }\n`;
    for (const value of ['unix:///run/b.sock', 'nonsense', '', undefined]) {
      expect((await load(text, { SPIRE_ADMIN_ENDPOINT_SOCKET: value })).spireSocket).toBe('/run/a.sock');
    }
  });

  test.each([
    ['not set', {}],
    ['set to nothing', { SPIRE_ADMIN_ENDPOINT_SOCKET: '' }],
    ['another variable', { SPIFFE_ENDPOINT_SOCKET: 'unix:///run/a.sock' }],
  ])('must be named somewhere: the variable is %s', async (_, env) => {
    const missing = 'spire.adminSocket: is missing, and SPIRE_ADMIN_ENDPOINT_SOCKET is not set';
    expect(await problems(LEAST, env)).toEqual([`svidx.yaml:1: ${missing}`]);
    expect(await problems(`${LEAST}spire: { timeout: 5s }\n`, env)).toEqual([`svidx.yaml:3: ${missing}`]);
  });

  test.each(['/run/a.sock', 'unix://host/a', 'tcp://127.0.0.1:1', ' unix:///run/a.sock'])(
    'is not %j in the environment, and the variable is named',
    async (value) => {
      expect(await problems(LEAST, { SPIRE_ADMIN_ENDPOINT_SOCKET: value })).toEqual([
        'SPIRE_ADMIN_ENDPOINT_SOCKET: expected the address of a unix socket, unix:///path',
      ]);
    },
  );
});

describe('the source of keys', () => {
  const FILE = '/etc/svidx/bundle.json';

  test.each<[string, BundleConfig]>([
    ['', { from: 'delegatedIdentity', socket: '/run/env/admin.sock' }],
    ['bundle: {}', { from: 'delegatedIdentity', socket: '/run/env/admin.sock' }],
    ['bundle: { delegatedIdentity: {} }', { from: 'delegatedIdentity', socket: '/run/env/admin.sock' }],
    [
      'bundle: { workloadApi: { socket: "unix:///run/api.sock" } }',
      { from: 'workloadApi', target: 'unix:/run/api.sock' },
    ],
    [
      'bundle: { workloadApi: { socket: "tcp://127.0.0.1:8081" } }',
      { from: 'workloadApi', target: 'ipv4:127.0.0.1:8081' },
    ],
    ['bundle: { workloadApi: {} }', { from: 'workloadApi', target: 'unix:/run/env/api.sock' }],
    [
      'bundle: { httpsWeb: { url: "https://spire.example.org:8443/b?c" } }',
      { from: 'httpsWeb', url: 'https://spire.example.org:8443/b?c', caFile: undefined },
    ],
    [
      'bundle: { httpsWeb: { url: "https://[::1]", caFile: /etc/ca.pem } }',
      { from: 'httpsWeb', url: 'https://[::1]', caFile: '/etc/ca.pem' },
    ],
    [`bundle: { file: { path: ${FILE} } }`, { from: 'file', path: FILE }],
  ])('%j', async (line, expected) => {
    const env = { ...SOCKET, SPIFFE_ENDPOINT_SOCKET: 'unix:///run/env/api.sock' };
    expect((await load(`${LEAST}${line}\n`, env)).bundle).toEqual(expected);
  });

  test('may be a file beside the configuration', async () => {
    const file = await configFile(`${LEAST}bundle: { file: { path: keys/bundle.json } }\n`);
    expect((await loadConfig(file, SOCKET)).bundle).toEqual({ from: 'file', path: join(file, '../keys/bundle.json') });
  });

  test.each([
    ['bundle: { delegatedIdentity: {}, file: { path: a } }', ['file', 'delegatedIdentity']],
    ['bundle: { httpsWeb: { url: "https://a" }, workloadApi: {} }', ['httpsWeb', 'workloadApi']],
  ])('is one: %s is refused', async (line, [second, first]) => {
    expect(await problems(`${LEAST}${line}\n`)).toEqual([
      `svidx.yaml:3: bundle.${second}: expected one source of keys, and there is ${first} too`,
    ]);
  });

  test('is one: of three, two are too many, each at its line', async () => {
    const text = `${LEAST}bundle:\n  workloadApi: {}\n  file: { path: a }\n  delegatedIdentity: {}\n`;
    const tooMany = 'expected one source of keys, and there is';
    expect(await problems(text)).toEqual([
      `svidx.yaml:4: bundle.workloadApi: ${tooMany} delegatedIdentity too`,
      `svidx.yaml:5: bundle.file: ${tooMany} delegatedIdentity too`,
    ]);
  });

  test.each([
    ['not set', {}],
    ['set to nothing', { SPIFFE_ENDPOINT_SOCKET: '' }],
  ])('at the Workload API must be named somewhere: the variable is %s', async (_, env) => {
    expect(await problems(`${LEAST}bundle:\n  workloadApi: {}\n`, { ...SOCKET, ...env })).toEqual([
      'svidx.yaml:4: bundle.workloadApi.socket: is missing, and SPIFFE_ENDPOINT_SOCKET is not set',
    ]);
  });

  test('is not nonsense in the environment, and the variable is named', async () => {
    const env = { ...SOCKET, SPIFFE_ENDPOINT_SOCKET: 'tcp://localhost:1' };
    expect(await problems(`${LEAST}bundle: { workloadApi: {} }\n`, env)).toEqual([
      'SPIFFE_ENDPOINT_SOCKET: expected the address of a Workload API, unix:///path or tcp://IP:port',
    ]);
  });

  test('elsewhere needs the admin socket all the same, where there is a broker', async () => {
    expect(await problems(`${LEAST}bundle: { file: { path: a } }\n`, {})).toEqual([
      'svidx.yaml:1: spire.adminSocket: is missing, and SPIRE_ADMIN_ENDPOINT_SOCKET is not set',
    ]);
  });
});

describe('an issuer alone', () => {
  const ALONE = `${LEAST}broker: { enabled: false }\nbundle: { file: { path: /b } }\n`;

  test('needs no admin socket, no policies and no private socket', async () => {
    expect(await loadConfig(await configFile(ALONE), {})).toEqual({
      trustDomain: expect.anything(),
      issuer: expect.anything(),
      hosts: ['oidc.example.org'],
      requestsPerSecond: undefined,
      trustedProxies: [],
      listen: { host: '127.0.0.1', port: 8080 },
      bundle: { from: 'file', path: '/b' },
      spireTimeoutMs: 10_000,
      logLevel: 'info',
    });
  });

  test('does not mind what the environment says of the admin socket', async () => {
    expect(await loadConfig(await configFile(ALONE), { SPIRE_ADMIN_ENDPOINT_SOCKET: 'nonsense' })).not.toHaveProperty(
      'spireSocket',
    );
  });

  test('may have its keys from the admin socket, and then needs it', async () => {
    const text = `${LEAST}broker: { enabled: false }\n`;
    expect((await loadConfig(await configFile(text), SOCKET)).bundle).toEqual({
      from: 'delegatedIdentity',
      socket: '/run/env/admin.sock',
    });
    const socket = 'spire: { adminSocket: "unix:///run/a.sock" }\n';
    expect((await loadConfig(await configFile(text + socket), {})).bundle).toMatchObject({ socket: '/run/a.sock' });
    expect(await problems(text, {})).toHaveLength(1);
  });

  test.each([
    ['policies: p', 'policies'],
    ['aws: {}', 'aws'],
    ['spire: { adminSocket: "unix:///run/a.sock" }', 'spire.adminSocket'],
  ])('with %s is refused: it would say nothing', async (line, key) => {
    expect(await problems(`${ALONE}${line}\n`)).toEqual([
      `svidx.yaml:5: ${key}: says nothing with "broker.enabled: false"`,
    ]);
  });

  test('with what belongs to the broker is refused, each at its line', async () => {
    const text = `${LEAST}bundle: { file: { path: /b } }\nbroker:\n  enabled: false\n  socket: /run/b\n  cacheSize: 1\n`;
    expect(await problems(text)).toEqual([
      'svidx.yaml:6: broker.socket: says nothing with "broker.enabled: false"',
      'svidx.yaml:7: broker.cacheSize: says nothing with "broker.enabled: false"',
    ]);
  });
});

describe('plain HTTP beyond loopback', () => {
  test.each(['0.0.0.0:8080', '[::]:8080', '192.0.2.1:80', '10.0.0.1:0', '[2001:db8::1]:80', '[::ffff:127.0.0.1]:80'])(
    'is refused at %s, unless a proxy terminates TLS',
    async (listen) => {
      expect(await problems(`${LEAST}http:\n  listen: "${listen}"\n`)).toEqual([
        'svidx.yaml:4: http.listen: expected a loopback address, or "tls", or "plainHttpBehindProxy: true" where a proxy terminates TLS',
      ]);
      const refused = `${LEAST}http: { plainHttpBehindProxy: false, listen: "${listen}" }\n`;
      expect(await problems(refused)).toHaveLength(1);
      const allowed = await load(`${LEAST}http: { plainHttpBehindProxy: true, listen: "${listen}" }\n`);
      expect(allowed.listen.port).toBe(Number(listen.split(':').at(-1)));
    },
  );
});

describe('a line is refused', () => {
  const ENDPOINT = 'expected an https URL without credentials and fragment';
  const STS = 'expected an https URL without credentials, query and fragment';

  test.each([
    ['evil: 1', 'evil: unknown key'],
    ['Issuer: x', 'Issuer: unknown key'],
    ['__proto__: {}', '__proto__: unknown key'],
    ['http: { port: 1 }', 'http.port: unknown key'],
    ['spire: { socket: x }', 'spire.socket: unknown key'],
    ['broker: { mode: 0666 }', 'broker.mode: unknown key'],
    ['aws: { region: us-east-1 }', 'aws.region: unknown key'],
    ['log: { format: text }', 'log.format: unknown key'],
    ['issuer: https://example.com', 'issuer: this key is written twice'],
    ['policies: ""', 'policies: Too small: expected string to have >=1 characters'],
    ['policies: [a]', 'policies: expected string, received array'],
    ['http:', 'http: expected object, received null'],
    ['http: { listen: 8080 }', 'http.listen: expected string, received number'],
    ['http: { listen: "example.org:80" }', 'http.listen: expected an IP address and a port, such as 127.0.0.1:8080'],
    ['http: { plainHttpBehindProxy: "yes" }', 'http.plainHttpBehindProxy: expected boolean, received string'],
    ['http: { plainHttpBehindProxy: yes }', 'http.plainHttpBehindProxy: expected boolean, received string'],
    ['spire: { adminSocket: /run/a.sock }', 'spire.adminSocket: expected the address of a unix socket, unix:///path'],
    ['spire: { timeout: 0s }', 'spire.timeout: expected a duration of 1s to 20s, such as 10s'],
    ['spire: { timeout: 21s }', 'spire.timeout: expected a duration of 1s to 20s, such as 10s'],
    ['spire: { timeout: 10 }', 'spire.timeout: expected string, received number'],
    ['broker: { socket: broker.sock }', 'broker.socket: expected the absolute path of a socket'],
    ['broker: { socket: /run/svidx/ }', 'broker.socket: expected the absolute path of a socket'],
    ['broker: { socket: "unix:///run/b" }', 'broker.socket: expected the absolute path of a socket'],
    ['broker: { socket: "/run/b\\n" }', 'broker.socket: expected the absolute path of a socket'],
    ['broker: { cacheSize: 0 }', 'broker.cacheSize: Too small: expected number to be >=1'],
    ['broker: { cacheSize: 1000001 }', 'broker.cacheSize: Too big: expected number to be <=1000000'],
    ['broker: { cacheSize: 1.5 }', 'broker.cacheSize: expected int, received number'],
    ['broker: { cacheSize: "10" }', 'broker.cacheSize: expected number, received string'],
    ['broker: { cacheSize: .inf }', 'broker.cacheSize: expected number, received Infinity'],
    ['aws: { stsEndpoint: sts.amazonaws.com }', `aws.stsEndpoint: ${STS}`],
    ['aws: { stsEndpoint: "http://sts.example.org" }', `aws.stsEndpoint: ${STS}`],
    ['aws: { stsEndpoint: "https://u:p@sts.example.org" }', `aws.stsEndpoint: ${STS}`],
    ['aws: { stsEndpoint: "https://:p@sts.example.org" }', `aws.stsEndpoint: ${STS}`],
    ['aws: { stsEndpoint: "https://sts.example.org?" }', `aws.stsEndpoint: ${STS}`],
    ['aws: { stsEndpoint: "https://sts.example.org#a" }', `aws.stsEndpoint: ${STS}`],
    ['aws: { stsEndpoint: " https://sts.example.org" }', `aws.stsEndpoint: ${STS}`],
    ["aws: { stsEndpoint: 'https:\\\\sts.example.org' }", `aws.stsEndpoint: ${STS}`],
    ['broker: { enabled: "no" }', 'broker.enabled: expected boolean, received string'],
    ['bundle: file', 'bundle: expected object, received string'],
    ['bundle: { spire: {} }', 'bundle.spire: unknown key'],
    ['bundle: { delegatedIdentity: { a: 1 } }', 'bundle.delegatedIdentity.a: unknown key'],
    ['bundle: { delegatedIdentity: }', 'bundle.delegatedIdentity: expected object, received null'],
    [
      'bundle: { workloadApi: { socket: /run/a } }',
      'bundle.workloadApi.socket: expected the address of a Workload API',
    ],
    [
      'bundle: { workloadApi: { socket: "tcp://a:1" } }',
      'bundle.workloadApi.socket: expected the address of a Workload',
    ],
    ['bundle: { httpsWeb: {} }', 'bundle.httpsWeb.url: is missing'],
    ['bundle: { httpsWeb: { url: "http://127.0.0.1" } }', `bundle.httpsWeb.url: ${ENDPOINT}`],
    ['bundle: { httpsWeb: { url: "https://u:p@a" } }', `bundle.httpsWeb.url: ${ENDPOINT}`],
    ['bundle: { httpsWeb: { url: "https://a#b" } }', `bundle.httpsWeb.url: ${ENDPOINT}`],
    ['bundle: { httpsWeb: { url: "a/b" } }', `bundle.httpsWeb.url: ${ENDPOINT}`],
    ['bundle: { httpsWeb: { url: "https://a", caFile: "" } }', 'bundle.httpsWeb.caFile: Too small'],
    ['bundle: { file: {} }', 'bundle.file.path: is missing'],
    ['bundle: { file: { path: "" } }', 'bundle.file.path: Too small'],
    ['log: { level: verbose }', 'log.level: Invalid option: expected one of'],
    ['log: { level: INFO }', 'log.level: Invalid option: expected one of'],
  ])('%s', async (line, problem) => {
    const found = await problems(`${LEAST}${line}\n`);
    expect(found).toHaveLength(1);
    expect(found[0]?.startsWith(`svidx.yaml:3: ${problem}`), found[0]).toBe(true);
  });

  test.each([
    ['trustDomain: Example.org', 'trustDomain: the trust domain name may hold'],
    ['trustDomain: spiffe://example.org', 'trustDomain: the trust domain name may hold'],
    ['trustDomain: ""', 'trustDomain: the trust domain name is empty'],
    ['trustDomain: 1', 'trustDomain: expected string, received number'],
    ['issuer: http://example.org', 'issuer: expected an https URL'],
    ['issuer: https://example.org/', 'issuer: expected a URL without a trailing slash'],
    ['issuer: [https://example.org]', 'issuer: expected string, received array'],
  ])('%s', async (line, problem) => {
    const [key = ''] = line.split(':');
    const found = await problems(LEAST.replace(new RegExp(`^${key}.*`, 'm'), line));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`:${key === 'issuer' ? 2 : 1}: ${problem}`);
  });
});

describe('a file is refused', () => {
  test('with each of several problems named', async () => {
    const text = 'trustDomain: A\nhttp: { listen: x }\nlog: { level: x }\nevil: 1\n';
    expect((await problems(text)).map((line) => line.split(': ')[1])).toEqual(
      expect.arrayContaining(['trustDomain', 'issuer', 'http.listen', 'log.level', 'evil']),
    );
  });

  test('when it says nothing', async () => {
    expect(await problems('')).toEqual(['svidx.yaml:1: the file is empty']);
    expect(await problems('{}')).toHaveLength(2);
  });

  test('when it is not UTF-8', async () => {
    expect(await problems(Buffer.from(`${LEAST}policies: p\xff\n`, 'latin1'))).toEqual([
      'svidx.yaml: is not UTF-8 text',
    ]);
  });

  test('when it is not there, or is a folder', async () => {
    const folder = await tempFolder();
    expect((await refusal(loadConfig(join(folder, 'none.yaml'), SOCKET))).message).toMatch(
      /none\.yaml: cannot be read \(ENOENT\)$/,
    );
    expect(await refusal(loadConfig(folder, SOCKET))).toMatchObject({
      code: 'config_invalid',
      message: `${folder}: cannot be read (EISDIR)`,
    });
  });
});
