import { describe, expect, test } from 'vitest';
import type { EgressRule } from '../../src/policy/egress-rule.ts';
import type { ComponentPolicy } from '../../src/policy/policy-set.ts';
import { refusal } from '../support/errors.ts';
import { compile } from '../support/policies.ts';

const HEAD = 'component: api\nspiffeId: spiffe://example.org/api\nselectors: [a:b]\n';
const AWS = 'aws: { roleArn: arn:aws:iam::111122223333:role/r, region: us-east-1 }';
const GCP =
  'gcp: { provider: projects/123456789012/locations/global/workloadIdentityPools/components/providers/spire }';
const BEDROCK = 'bedrock-runtime.us-east-1.amazonaws.com';

function compiled(text: string): ComponentPolicy {
  const [policy] = compile(HEAD + text).components;
  if (policy === undefined) throw new Error('no policy');
  return policy;
}

/** What is said of a policy whose fourth line is this. */
async function problem(text: string): Promise<string> {
  const error = await refusal(() => compile(HEAD + text));
  expect(error.code).toBe('policy_invalid');
  return error.message;
}

describe('a policy of nothing but what a host may do', () => {
  test.each([
    ['wasi', 'wasi: [random, clocks]', { wasi: ['random', 'clocks'] }],
    [
      'config',
      'config: { GREETING: hello, a.b/c: "" }',
      {
        config: [
          ['GREETING', 'hello'],
          ['a.b/c', ''],
        ],
      },
    ],
    ['the word that it needs nothing', 'wasi: []', {}],
    ['egress', 'egress: [https://a.example]', { egress: [expect.objectContaining({ host: 'a.example' })] }],
  ])('is one with %s alone', (_, text, part) => {
    expect(compiled(text)).toMatchObject({ audiences: [], grants: [], wasi: [], config: [], egress: [], ...part });
  });

  test.each([
    ['nothing', ''],
    ['a digest', `digest: sha256:${'0'.repeat(64)}\n`],
    ['a digest selector', 'digestSelector: true\n'],
  ])('is none with %s', async (_, text) => {
    expect(await problem(text)).toBe(
      'a.yaml:1: grants nothing: expected one of "audiences", "grants", "wasi", "config", "egress"; ' +
        '"wasi: []" for a component that needs nothing',
    );
  });

  test.each([
    [
      'an interface that is none',
      'wasi: [sockets]',
      '4: wasi[0]: Invalid option: expected one of "clocks"|"random"|"stdio"',
    ],
    ['an interface in upper case', 'wasi: [Clocks]', '4: wasi[0]: Invalid option'],
    ['an interface twice', 'wasi: [stdio, stdio]', '4: wasi: has an entry twice'],
    ['no list', 'wasi:', '4: wasi: '],
    ['all interfaces', 'wasi: "*"', '4: wasi: expected array, received string'],
    ['no configuration', 'config: {}', '4: config: expected at least one key; leave it out to tell nothing'],
    ['a number', 'config:\n  PORT: 8080', '5: config.PORT: expected a text: quote it'],
    ['nothing', 'config:\n  PORT:', '5: config.PORT: expected a text: quote it'],
    ['a map', 'config:\n  PORT: {}', '5: config.PORT: expected a text: quote it'],
    ['a long text', `config:\n  PORT: ${'x'.repeat(4097)}`, '5: config.PORT: Too big'],
    ['an empty name', 'config:\n  "": x', '5: config[""]: expected a key of letters, digits and'],
    ['a name with a blank', 'config:\n  "A B": x', '5: config["A B"]: expected a key of letters, digits and'],
    ['a list of texts', 'config: [a]', '4: config: expected record, received array'],
    ['a list of nothing', 'egress: []', '4: egress: expected at least one URL; leave the key out to grant none'],
    ['a text', 'egress: https://a.example', '4: egress: expected array, received string'],
    ['a selector that is no boolean', 'digestSelector: "true"\naudiences: [x]', '4: digestSelector: expected boolean'],
  ])('is refused with %s, with file, line and key', async (_, text, message) => {
    expect(await problem(text)).toContain(`a.yaml:${message}`);
  });

  test.each(['wasm:digest:sha256:00', `wasm:digest:sha256:${'0'.repeat(64)}`, 'wasm:digest:', 'wasm:digest:x'])(
    'is refused with the selector %s, which is only ever computed',
    async (selector) => {
      const text = `${HEAD}audiences: [x]\n`.replace('a:b', `"a:b", "${selector}"`);
      expect((await refusal(() => compile(text))).message).toBe(
        'a.yaml:3: selectors[1]: expected no digest here: it is only ever computed, by "digestSelector"',
      );
    },
  );

  test.each(['wasm:component:x', 'wasm:digests:x', 'Wasm:digest:x', 'x:wasm:digest:y'])(
    'may have the selector %s, which SPIRE takes for another',
    (selector) => {
      expect(() => compile(`${HEAD}audiences: [x]\n`.replace('a:b', `"${selector}"`))).not.toThrow();
    },
  );
});

describe('a rule for outgoing requests', () => {
  const rule = (text: string): EgressRule | undefined => compiled(`egress:\n  - ${text}\n`).egress[0];
  const range = (address: string, prefix: number, family: string) => ({ address, prefix, family });

  test.each([
    ['https://a.example', { scheme: 'https', host: 'a.example', port: 443, path: '/', addresses: [] }],
    ['http://a.example', { scheme: 'http', host: 'a.example', port: 80, path: '/', addresses: [] }],
    ['https://A.Example:443/', { scheme: 'https', host: 'a.example', port: 443, path: '/', addresses: [] }],
    ['https://a.example:8443/v1/', { scheme: 'https', host: 'a.example', port: 8443, path: '/v1/', addresses: [] }],
    ['https://a.example/v1', { scheme: 'https', host: 'a.example', port: 443, path: '/v1', addresses: [] }],
    ["https://a.example/a.b/c-d_e~f!$&'()+,=:/", expect.objectContaining({ path: "/a.b/c-d_e~f!$&'()+,=:/" })],
    ['http://10.1.2.3', expect.objectContaining({ host: '10.1.2.3', addresses: [range('10.1.2.3', 32, 'ipv4')] })],
    [
      '"https://[2001:DB8::0:1]:1"',
      expect.objectContaining({ host: '2001:db8::1', addresses: [range('2001:db8::1', 128, 'ipv6')] }),
    ],
    [
      '{ url: https://a.example, addresses: [10.0.0.0/8, "::1"] }',
      expect.objectContaining({
        host: 'a.example',
        addresses: [range('10.0.0.0', 8, 'ipv4'), range('::1', 128, 'ipv6')],
      }),
    ],
  ])('%s is read', (text, expected) => {
    expect(rule(text)).toEqual(expected);
  });

  const URL_EXPECTED =
    'expected https://HOST or http://HOST, perhaps with a port and a path; no credentials, query, fragment';
  const HOST_EXPECTED = 'expected a DNS name in ASCII without a trailing dot';
  const PATH_EXPECTED = 'expected a path of plain segments: nothing percent-encoded, none empty, none of dots, no ";"';
  const PORT_EXPECTED = 'expected one host, perhaps with a port of 1 to 65535';
  const NO_WILDCARDS = 'expected one host and one path: there are no wildcards';

  test.each([
    ['', 'expected a URL, or { url, addresses }'],
    ['7', 'expected a URL, or { url, addresses }'],
    ['[https://a.example]', 'expected a URL, or { url, addresses }'],
    ['a.example', URL_EXPECTED],
    ['//a.example', URL_EXPECTED],
    ['ftp://a.example', URL_EXPECTED],
    ['HTTPS://a.example', URL_EXPECTED],
    ['https:a.example', URL_EXPECTED],
    ['https:/a.example', URL_EXPECTED],
    ['https:///a.example', URL_EXPECTED],
    ['https://', URL_EXPECTED],
    ['https://user@a.example', URL_EXPECTED],
    ['https://user:pass@a.example', URL_EXPECTED],
    ['https://a.example@evil.example', URL_EXPECTED],
    ['https://a.example/v1@', URL_EXPECTED],
    ['https://a.example?q=1', URL_EXPECTED],
    ['https://a.example/?', URL_EXPECTED],
    ['"https://a.example/#x"', URL_EXPECTED],
    ['https://a.example\\evil.example', URL_EXPECTED],
    ['https://a.example/a\\b', URL_EXPECTED],
    ['"https://a.example/a b"', URL_EXPECTED],
    ['" https://a.example"', URL_EXPECTED],
    ['"https://a.example\\n"', URL_EXPECTED],
    ['https://*', NO_WILDCARDS],
    ['https://*.a.example', NO_WILDCARDS],
    ['https://a.example:*', NO_WILDCARDS],
    ['https://a.example/*', NO_WILDCARDS],
    ['"*"', NO_WILDCARDS],
    ['https://a.example:0', PORT_EXPECTED],
    ['https://a.example:65536', PORT_EXPECTED],
    ['https://a.example:0443', PORT_EXPECTED],
    ['"https://a.example:"', PORT_EXPECTED],
    ['https://a.example:443:443', PORT_EXPECTED],
    ['https://::1', PORT_EXPECTED],
    ['"https://[::1"', PORT_EXPECTED],
    ['https://:443', HOST_EXPECTED],
    ['https://a.example.', HOST_EXPECTED],
    ['https://a..example', HOST_EXPECTED],
    ['https://münchen.example', HOST_EXPECTED],
    ['https://a%2eexample', HOST_EXPECTED],
    ['https://127.1', HOST_EXPECTED],
    ['https://0x7f.1', HOST_EXPECTED],
    ['https://2130706433', HOST_EXPECTED],
    ['https://127.0.0.01', HOST_EXPECTED],
    ['"https://[::ffff:127.0.0.1]"', HOST_EXPECTED],
    ['"https://[fe80::1%25eth0]"', HOST_EXPECTED],
    ['https://a.example//', PATH_EXPECTED],
    ['https://a.example//v1/', PATH_EXPECTED],
    ['https://a.example/v1//', PATH_EXPECTED],
    ['https://a.example/.', PATH_EXPECTED],
    ['https://a.example/v1/..', PATH_EXPECTED],
    ['https://a.example/../v1/', PATH_EXPECTED],
    ['https://a.example/v1/./', PATH_EXPECTED],
    ['https://a.example/v1/.../', PATH_EXPECTED],
    ['https://a.example/%2e%2e/', PATH_EXPECTED],
    ['https://a.example/v1%2f', PATH_EXPECTED],
    ['https://a.example/v%31/', PATH_EXPECTED],
    ['https://a.example/..;/', PATH_EXPECTED],
    ['https://a.example/v1;x/', PATH_EXPECTED],
    ['https://a.example/ü/', PATH_EXPECTED],
  ])('%s is refused, with file, line and key', async (text, expected) => {
    expect(await problem(`egress:\n  - ${text}\n`)).toMatch(`a.yaml:5: egress[0]: ${expected}`);
  });

  test.each([
    ['{ url: https://a.example }', 'egress[0].addresses: is missing: expected array'],
    [
      '{ url: https://a.example, addresses: [] }',
      'egress[0].addresses: expected at least one network; leave the key out for none',
    ],
    ['{ url: https://a.example, addresses: [localhost] }', 'egress[0].addresses[0]: expected an address or a network'],
    ['{ url: https://a.example, addresses: [0.0.0.0/0] }', 'egress[0].addresses[0]: expected an address or a network'],
    ['{ url: https://a.example, addresses: 10.0.0.0/8 }', 'egress[0].addresses: expected array, received string'],
    ['{ url: https://a.example, address: [10.0.0.0/8] }', 'egress[0].addresses: is missing'],
    ['{ url: https://a.example, addresses: [10.0.0.0/8], evil: 1 }', 'egress[0].evil: unknown key'],
    ['{ url: "https://*", addresses: [10.0.0.0/8] }', `egress[0].url: ${NO_WILDCARDS}`],
    ['{ addresses: [10.0.0.0/8] }', 'egress[0].url: is missing: expected string'],
    [
      '{ url: https://10.1.2.3, addresses: [10.0.0.0/8] }',
      'egress[0].addresses: expected only with a name: the host is an address, which is granted as it is',
    ],
  ])('%s is refused, with the key in it', async (text, expected) => {
    expect(await problem(`egress:\n  - ${text}\n`)).toContain(`a.yaml:5: ${expected}`);
  });

  test('is refused where it is there twice, however it is written', async () => {
    const twice = 'egress: [https://a.example, "https://A.example:443/"]';
    expect(await problem(twice)).toBe('a.yaml:4: egress: has an entry twice');
  });

  test('is refused where it is one of 101', async () => {
    const many = Array.from({ length: 101 }, (_, index) => `https://a${index}.example`);
    expect(await problem(`egress: ${JSON.stringify(many)}`)).toContain('a.yaml:4: egress: Too big');
  });
});

describe('a grant that is injected', () => {
  const grant = (inject: string, target = AWS) => `grants:\n  models:\n    ${target}\n    inject: ${inject}\n`;

  test.each([
    [AWS, `{ host: ${BEDROCK} }`, { scheme: 'https', host: BEDROCK, port: 443, service: undefined }],
    [
      AWS,
      '{ host: A.Example, port: 8443, service: bedrock }',
      { scheme: 'https', host: 'a.example', port: 8443, service: 'bedrock' },
    ],
    [
      AWS,
      '{ host: 127.0.0.1, scheme: http, service: s3 }',
      { scheme: 'http', host: '127.0.0.1', port: 80, service: 's3' },
    ],
    [
      GCP,
      '{ host: "[0::1]", scheme: http, port: 9000 }',
      { scheme: 'http', host: '::1', port: 9000, service: undefined },
    ],
    [
      GCP,
      '{ host: storage.googleapis.com }',
      { scheme: 'https', host: 'storage.googleapis.com', port: 443, service: undefined },
    ],
  ])('%s with %s is read, and implies egress to there alone', (target, inject, injection) => {
    const { grants, egress } = compiled(grant(inject, target));
    expect(grants[0]?.injection).toEqual(injection);
    const { service: _, ...place } = injection;
    expect(egress).toEqual([expect.objectContaining({ ...place, path: '/' })]);
  });

  test('to a loopback address may go to that address, and to a name to no private one', () => {
    expect(compiled(grant('{ host: 127.0.0.1, scheme: http }')).egress[0]?.addresses).toEqual([
      { address: '127.0.0.1', prefix: 32, family: 'ipv4' },
    ]);
    expect(compiled(grant(`{ host: ${BEDROCK} }`)).egress[0]?.addresses).toEqual([]);
  });

  test.each([
    ['{}', '.host: is missing: expected string'],
    ['a.example', ': expected object, received string'],
    ['{ host: https://a.example }', '.host: expected a DNS name'],
    ['{ host: "a.example:443" }', '.host: expected a DNS name'],
    ['{ host: a.example/v1 }', '.host: expected a DNS name'],
    ['{ host: "*.example" }', '.host: expected a DNS name'],
    ['{ host: a.example. }', '.host: expected a DNS name'],
    ['{ host: "::1" }', '.host: expected a DNS name'],
    ['{ host: "2130706433" }', '.host: expected a DNS name'],
    ['{ host: "[::ffff:127.0.0.1]" }', '.host: expected a DNS name'],
    ['{ host: a.example, port: 0 }', '.port: Too small'],
    ['{ host: a.example, port: 65536 }', '.port: Too big'],
    ['{ host: a.example, port: 1.5 }', '.port: expected int'],
    ['{ host: a.example, port: "443" }', '.port: expected number'],
    ['{ host: a.example, scheme: ftp }', '.scheme: Invalid option: expected one of "https"|"http"'],
    ['{ host: a.example, scheme: http }', '.scheme: expected https: http is for a loopback address'],
    ['{ host: localhost, scheme: http }', '.scheme: expected https: http is for a loopback address'],
    ['{ host: 10.0.0.1, scheme: http }', '.scheme: expected https: http is for a loopback address'],
    ['{ host: 169.254.169.254, scheme: http }', '.scheme: expected https: http is for a loopback address'],
    ['{ host: a.example, service: Bedrock }', '.service: expected the signing name of an AWS service'],
    ['{ host: a.example, path: /v1 }', '.path: unknown key'],
  ])('%s is refused, with file, line and key', async (inject, expected) => {
    expect(await problem(grant(inject))).toContain(`a.yaml:7: grants.models.inject${expected}`);
  });

  test('is refused with a service where nothing is signed', async () => {
    expect(await problem(grant('{ host: a.example, service: s3 }', GCP))).toBe(
      'a.yaml:7: grants.models.inject.service: expected only with an aws grant',
    );
  });

  test('is refused without a target, or with two', async () => {
    expect(await problem('grants:\n  models: { inject: { host: a.example } }\n')).toMatch(
      /^a\.yaml:5: grants\.models: expected exactly one of aws/,
    );
    expect(await problem(grant('{ host: a.example }', `${AWS}\n    ${GCP}`))).toMatch(
      /^a\.yaml:5: grants\.models: expected exactly one of aws/,
    );
  });

  test('is refused where another is injected already', async () => {
    const two = `grants:\n  one: { ${AWS}, inject: { host: a.example } }\n  two: { ${GCP}, inject: { host: A.example, port: 443 } }\n`;
    expect(await problem(two)).toBe('a.yaml:6: grants.two.inject: the grant "one" is injected there already');
    expect(() => compiled(two.replace('port: 443', 'port: 8443'))).not.toThrow();
  });

  test('is refused under "files"', async () => {
    const text = `audiences: [sts.amazonaws.com]\n${grant('{ host: a.example }')}files: [models]\n`;
    expect(await problem(text)).toBe('a.yaml:9: files[0]: is only injected, never handed out');
  });

  const subjects = 'tokenEndpoint: { subjects: [spiffe://example.org/x] }\n';

  test('is nothing for the token endpoint', async () => {
    const text = grant('{ host: a.example }') + subjects;
    expect(await problem(text)).toBe('a.yaml:8: tokenEndpoint: says nothing where all grants are only injected');
    expect(() =>
      compiled(`grants:\n  a: { ${AWS} }\n  b: { ${AWS}, inject: { host: a.example } }\n${subjects}`),
    ).not.toThrow();
  });

  test.each([
    ['digest', `digest: sha256:${'0'.repeat(64)}\n`],
    ['digestSelector', 'digestSelector: true\n'],
  ])('or not, it has no token endpoint beside %s: whoever comes there has no digest', async (key, text) => {
    expect(await problem(`grants:\n  a: { ${AWS} }\n${text}${subjects}`)).toMatch(
      new RegExp(`^a\\.yaml:7: tokenEndpoint: says nothing with "${key}"`),
    );
  });
});
