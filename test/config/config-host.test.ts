import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/config.ts';
import type { HostConfig } from '../../src/config/host.ts';
import { refusal } from '../support/errors.ts';
import { tempFolder } from '../support/temp.ts';

const LEAST = 'trustDomain: example.org\nissuer: https://oidc.example.org\nspire: { adminSocket: "unix:///a" }\n';
const ONE = '{ component: api, file: api.wasm, route: /api/ }';

interface Loaded {
  readonly folder: string;
  readonly host: HostConfig | undefined;
}

async function load(lines: string): Promise<Loaded> {
  const folder = join(await tempFolder(), 'etc');
  await mkdir(folder);
  const file = join(folder, 'svidx.yaml');
  await writeFile(file, `${LEAST}${lines}\n`);
  const config = await loadConfig(file, {});
  return { folder, host: 'host' in config ? config.host : undefined };
}

/** What is said about a configuration, without file and line. */
async function problem(lines: string): Promise<string> {
  const error = await refusal(load(lines));
  expect(error.code).toBe('config_invalid');
  return error.message.replace(/^\S*svidx\.yaml:\d+: /gm, '');
}

function ofComponents(...components: readonly string[]): Promise<string> {
  return problem(`host: { components: [${components.join(', ')}] }`);
}

describe('the section host', () => {
  test('is not there unless it is written', async () => {
    expect((await load('')).host).toBeUndefined();
  });

  test('has defaults for all but the components', async () => {
    const { host, folder } = await load(`host: { components: [${ONE}] }`);
    expect(host).toEqual({
      listen: { host: '127.0.0.1', port: 8000 },
      tls: undefined,
      cache: undefined,
      components: [
        {
          component: 'api',
          file: join(folder, 'api.wasm'),
          route: { host: undefined, prefix: '/api' },
          limits: { timeoutMs: 30_000, memoryBytes: 256 * 1024 ** 2, instances: 8, maxWaiting: 128 },
        },
      ],
    });
  });

  test('takes all that can be said', async () => {
    const { host, folder } = await load(`host:
  listen: 0.0.0.0:443
  tls: { certFile: tls/cert.pem, keyFile: /etc/key.pem }
  cache: ../cache
  components:
    - component: api
      file: /srv/api.wasm
      route: { host: API.example.com, path: /v1 }
      timeout: 1m
      memory: 64MiB
      instances: 2
    - { component: rest, file: ../rest.wasm, route: { host: api.example.com } }
    - { component: other, file: api.wasm, route: / }`);
    expect(host).toMatchObject({
      listen: { host: '0.0.0.0', port: 443 },
      tls: { certFile: join(folder, 'tls/cert.pem'), keyFile: '/etc/key.pem' },
      cache: join(folder, '../cache'),
      components: [
        {
          file: '/srv/api.wasm',
          route: { host: 'api.example.com', prefix: '/v1' },
          limits: { timeoutMs: 60_000, memoryBytes: 64 * 1024 ** 2, instances: 2 },
        },
        { file: join(folder, '../rest.wasm'), route: { host: 'api.example.com', prefix: '' } },
        { route: { host: undefined, prefix: '' } },
      ],
    });
  });

  test('says nothing without a broker', async () => {
    const alone = 'broker: { enabled: false }\nbundle: { file: { path: /b } }\n';
    expect(await refusal(load(`${alone}host: { components: [${ONE}] }`))).toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('host: says nothing with "broker.enabled: false"'),
    });
  });

  test.each([
    ['host: {}', 'host.components: is missing: expected array'],
    ['host: { components: [] }', 'host.components: expected at least one component'],
    [`host: { components: [${ONE}], evil: 1 }`, 'host.evil: unknown key'],
    [
      `host: { listen: "0.0.0.0:80", components: [${ONE}] }`,
      'host.listen: expected a loopback address, or "tls", or "plainHttpBehindProxy: true" where a proxy terminates TLS',
    ],
    [
      `host: { plainHttpBehindProxy: true, tls: { certFile: a, keyFile: b }, components: [${ONE}] }`,
      'host.plainHttpBehindProxy: the listener speaks TLS: expected either this or "tls"',
    ],
    [`host: { tls: { certFile: a }, components: [${ONE}] }`, 'host.tls.keyFile: is missing: expected string'],
    [`host: { cache: "", components: [${ONE}] }`, 'host.cache: expected the path of a folder'],
    [
      `host: { listen: "example.org:80", components: [${ONE}] }`,
      'host.listen: expected an IP address and a port, such as 127.0.0.1:8080',
    ],
  ])('%s is refused', async (lines, expected) => {
    expect(await problem(lines)).toBe(expected);
  });

  test('an address beyond loopback is allowed where a proxy terminates TLS', async () => {
    const { host } = await load(`host: { listen: "0.0.0.0:80", plainHttpBehindProxy: true, components: [${ONE}] }`);
    expect(host).toMatchObject({ listen: { host: '0.0.0.0', port: 80 }, tls: undefined });
  });
});

describe('a component in it', () => {
  test.each([
    ['{ file: a.wasm, route: / }', 'component: is missing: expected string'],
    ['{ component: api, route: / }', 'file: is missing: expected string'],
    ['{ component: api, file: a.wasm }', 'route: expected a path, or { host, path }'],
    [
      '{ component: "-", file: a.wasm, route: / }',
      'component: expected a component name of letters, digits and . _ : / @ -',
    ],
    ['{ component: api, file: a/, route: / }', 'file: expected the path of a file'],
    [
      '{ component: api, file: a.wasm, route: /, timeout: 0s }',
      'timeout: expected a duration of 1s to 1h, such as 30s',
    ],
    [
      '{ component: api, file: a.wasm, route: /, memory: 5GiB }',
      'memory: expected a size of 1MiB to 4GiB, such as 256MiB',
    ],
    ['{ component: api, file: a.wasm, route: /, instances: 257 }', 'instances: expected a whole number of 1 to 256'],
    ['{ component: api, file: a.wasm, route: /, instances: 1.5 }', 'instances: expected a whole number of 1 to 256'],
    ['{ component: api, file: a.wasm, route: /, evil: 1 }', 'evil: unknown key'],
    ['{ component: api, file: a.wasm, route: { path: / } }', 'route.host: is missing: expected string'],
    [
      '{ component: api, file: a.wasm, route: { host: "https://a.example" } }',
      'route.host: expected the name or the address of a host, without scheme and port',
    ],
    [
      '{ component: api, file: a.wasm, route: { host: "a.example:80" } }',
      'route.host: expected the name or the address of a host, without scheme and port',
    ],
  ])('%s is refused', async (component, expected) => {
    expect(await ofComponents(component)).toBe(`host.components[0].${expected}`);
  });

  test.each(['api', '//', '/a//b', '/../a', '/a/.', '/a%20b', '/a;b', '/*', '/a b', '/a?b', '/a#b', ''])(
    'the route %j is refused',
    async (route) => {
      expect(await ofComponents(`{ component: api, file: a.wasm, route: "${route}" }`)).toBe(
        'host.components[0].route: expected a path such as /api/: nothing percent-encoded, no segment empty or of dots, no ";", no "*"',
      );
    },
  );

  test('a name is there once', async () => {
    expect(await ofComponents(ONE, '{ component: api, file: b.wasm, route: /b }')).toBe(
      'host.components[1].component: api is there already',
    );
  });

  test.each([
    ['/api', '/api/', '/api/'],
    ['/', '/', '/'],
    ['{ host: A.example }', '{ host: a.EXAMPLE, path: / }', 'a.example/'],
    ['{ host: "[::1]", path: /x }', '{ host: "[0::1]", path: /x/ }', '::1/x/'],
  ])('%s and %s are one route', async (first, second, shown) => {
    const [a, b] = [first, second].map((route, index) => `{ component: c${index}, file: a.wasm, route: ${route} }`);
    expect(await ofComponents(a ?? '', b ?? '')).toBe(`host.components[1].route: ${shown} is the route of c0 already`);
  });

  test('one path for two hosts is two routes', async () => {
    const { host } = await load(`host: { components: [
      { component: a, file: a.wasm, route: / },
      { component: b, file: a.wasm, route: { host: a.example } },
      { component: c, file: a.wasm, route: { host: b.example } },
      { component: d, file: a.wasm, route: /x } ] }`);
    expect(host?.components.length).toBe(4);
  });
});
