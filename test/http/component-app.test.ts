import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ComponentRights } from '../../src/broker/hosting.ts';
import { createComponentApp } from '../../src/http/component-app.ts';
import { createHostingClient } from '../../src/http/hosting-client.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { refusal, refusalCode } from '../support/errors.ts';
import { ask, type HttpAnswer } from '../support/http.ts';
import { compile } from '../support/policies.ts';
import { serveOnPrivateSocket } from '../support/private-socket.ts';
import { startWorld, type World } from '../support/world.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;

const POLICY = `
component: api
spiffeId: spiffe://example.org/team/api
selectors: [wasmcloud:component:api]
digest: ${DIGEST}
audiences: [sts.amazonaws.com]
wasi: [clocks, stdio]
config: { GREETING: 'hällo "x"', constructor: x }
egress: ['https://[2001:db8::1]:8443/v1', { url: 'http://localhost:9000', addresses: [127.0.0.0/8, '::1'] }]
grants:
  models:
    aws: { roleArn: arn:aws:iam::111122223333:role/models, region: us-east-1 }
    inject: { host: bedrock.example, service: bedrock }
`;
const API = { component: 'api', digest: DIGEST };

const start = (): Promise<World> => startWorld({ policies: { 'api.yaml': POLICY } });

function post(url: string, body: unknown, more: object = {}): Promise<HttpAnswer> {
  const headers = { 'Content-Type': 'application/json' };
  return ask(url, { method: 'POST', path: '/v1/component', headers, body: JSON.stringify(body), ...more });
}

describe('POST /v1/component', () => {
  test('says what a component may do', async () => {
    const world = await start();
    const { status, headers, text } = await post(world.service.urls.broker, API);
    expect([status, headers['cache-control']]).toEqual([200, 'no-store']);
    expect(JSON.parse(text)).toEqual({
      identity: true,
      credentials: false,
      wasi: ['clocks', 'stdio'],
      config: { GREETING: 'hällo "x"', constructor: 'x' },
      egress: [
        { scheme: 'https', host: '2001:db8::1', port: 8443, path: '/v1', addresses: ['2001:db8::1/128'] },
        { scheme: 'http', host: 'localhost', port: 9000, path: '/', addresses: ['127.0.0.0/8', '::1/128'] },
        { scheme: 'https', host: 'bedrock.example', port: 443, path: '/', addresses: [] },
      ],
      injections: [
        {
          grant: 'models',
          scheme: 'https',
          host: 'bedrock.example',
          port: 443,
          service: 'bedrock',
          region: 'us-east-1',
        },
      ],
    });
  });

  test('arrives at another host as it is here', async () => {
    const { service, config } = await start();
    const there = await createHostingClient(config.brokerSocket).rights(API);
    expect(there).toEqual(await service.hosting.rights(API));
    expect(there.config.get('toString')).toBeUndefined();
  });

  test.each([
    ['no body', undefined, 400, 'request_invalid'],
    ['no component', {}, 400, 'request_invalid'],
    ['an unknown key', { ...API, grant: 'models' }, 400, 'request_invalid'],
    ['a digest that is none', { ...API, digest: 'x' }, 400, 'request_invalid'],
    ['another digest', { ...API, digest: DIGEST.replace('ab', 'cd') }, 403, 'policy_denied'],
    ['no digest where one is wanted', { component: 'api' }, 403, 'policy_denied'],
    ['a component without a policy', { component: 'nobody', digest: DIGEST }, 403, 'policy_denied'],
  ])('refuses %s', async (_, body, status, code) => {
    const world = await start();
    const answer = await post(world.service.urls.broker, body);
    expect([answer.status, JSON.parse(answer.text).code]).toEqual([status, code]);
    expect(Object.keys(JSON.parse(answer.text))).toEqual(['code', 'message']);
  });

  test('answers no other method, and nothing beside its path', async () => {
    const world = await start();
    const get = await post(world.service.urls.broker, API, { method: 'GET' });
    expect([get.status, get.headers['allow']]).toEqual([405, 'POST']);
    for (const path of ['/v1/component/', '/v1/components', '/v1/Component', '//v1/component']) {
      expect((await post(world.service.urls.broker, API, { path })).status, path).toBe(404);
    }
  });
});

describe('a host elsewhere', () => {
  test('gets the code and the message of a refusal', async () => {
    const { config } = await start();
    expect(await refusal(createHostingClient(config.brokerSocket).rights({ component: 'api' }))).toMatchObject({
      code: 'policy_denied',
      message: 'component "api": its policy wants the digest of its bytes, and nobody has said it',
    });
  });

  test('knows a service that is not there', async () => {
    expect(await refusalCode(createHostingClient('/nonexistent/broker.sock').rights(API))).toBe('service_unreachable');
  });

  const GOOD = {
    identity: true,
    credentials: true,
    wasi: ['clocks'],
    config: { A: 'b' },
    egress: [{ scheme: 'https', host: 'a.example', port: 443, path: '/', addresses: ['10.0.0.0/8'] }],
    injections: [{ grant: 'g', scheme: 'https', host: 'a.example', port: 443 }],
  };
  const [RULE] = GOOD.egress;
  const [INJECTION] = GOOD.injections;
  const { identity: _identity, ...WITHOUT_IDENTITY } = GOOD;
  const { injections: _injections, ...WITHOUT_INJECTIONS } = GOOD;

  async function answering(body: unknown): Promise<ComponentRights> {
    const { path } = await serveOnPrivateSocket((_, response) => response.end(JSON.stringify(body)));
    return createHostingClient(path).rights(API);
  }

  test('takes an answer that is whole', async () => {
    expect((await answering(GOOD)).egress[0]?.addresses).toEqual([{ address: '10.0.0.0', prefix: 8, family: 'ipv4' }]);
  });

  test.each<[string, unknown]>([
    ['nothing', null],
    ['a list', []],
    ['a right less', WITHOUT_IDENTITY],
    ['no injections', WITHOUT_INJECTIONS],
    ['a right that it does not know', { ...GOOD, files: true }],
    ['a right in words', { ...GOOD, credentials: 'true' }],
    ['an interface that it does not know', { ...GOOD, wasi: ['clocks', 'sockets'] }],
    ['a number to be configured', { ...GOOD, config: { A: 1 } }],
    ['another scheme', { ...GOOD, egress: [{ ...RULE, scheme: 'ftp' }] }],
    ['a host in upper case', { ...GOOD, egress: [{ ...RULE, host: 'A.example' }] }],
    ['a host with a trailing dot', { ...GOOD, egress: [{ ...RULE, host: 'a.example.' }] }],
    ['a host with brackets', { ...GOOD, egress: [{ ...RULE, host: '[::1]' }] }],
    ['a pattern of hosts', { ...GOOD, egress: [{ ...RULE, host: '*' }] }],
    ['no port', { ...GOOD, egress: [{ ...RULE, port: 0 }] }],
    ['a path without a slash', { ...GOOD, egress: [{ ...RULE, path: '' }] }],
    ['a network that is everything', { ...GOOD, egress: [{ ...RULE, addresses: ['0.0.0.0/0'] }] }],
    ['a network as an object', { ...GOOD, egress: [{ ...RULE, addresses: [{ address: '10.0.0.0', prefix: 8 }] }] }],
    ['a rule with more in it', { ...GOOD, egress: [{ ...RULE, methods: ['GET'] }] }],
    ['an injection without a grant', { ...GOOD, injections: [{ ...INJECTION, grant: '' }] }],
    ['an injection anywhere', { ...GOOD, injections: [{ ...INJECTION, host: '' }] }],
    ['an injection with more in it', { ...GOOD, injections: [{ ...INJECTION, path: '/v1' }] }],
  ])('takes no answer with %s', async (_, body) => {
    expect(await refusalCode(answering(body))).toBe('service_unreachable');
  });

  test('reads back whatever a policy can say', async () => {
    const words = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/);
    const egress = fc.uniqueArray(
      fc.record({ host: words, port: fc.integer({ min: 1, max: 65_535 }), path: words, below: fc.boolean() }),
      { selector: ({ host }) => host, minLength: 1, maxLength: 3 },
    );
    const config = fc.dictionary(words, fc.string({ maxLength: 20 }), { minKeys: 1, maxKeys: 3 });
    let rights: ComponentRights | undefined;
    const { logger } = createMemoryLog();
    const hosting = {
      rights: async (): Promise<ComponentRights> => {
        if (rights === undefined) throw new Error('nothing to say');
        return rights;
      },
    };
    const { path } = await serveOnPrivateSocket(
      createComponentApp({ hosting, logger }, (_, response) => response.end()),
    );
    await fc.assert(
      fc.asyncProperty(egress, config, async (rules, values) => {
        const urls = rules.map((rule) => `https://${rule.host}:${rule.port}/${rule.path}${rule.below ? '/' : ''}`);
        const head = { component: 'api', spiffeId: 'spiffe://example.org/api', selectors: ['a:b'] };
        const policy = compile(JSON.stringify({ ...head, egress: urls, config: values })).get('api');
        rights = {
          identity: false,
          credentials: true,
          wasi: new Set(policy?.wasi),
          config: new Map(policy?.config),
          egress: policy?.egress ?? [],
          injections: [],
        };
        expect(await createHostingClient(path).rights(API)).toEqual(rights);
      }),
      { numRuns: 50 },
    );
  });
});
