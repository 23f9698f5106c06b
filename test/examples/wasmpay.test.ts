import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, type TestContext, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { brokerAt, brokerSocketPath } from '../../src/commands/socket-client.ts';
import type { ComponentHost } from '../../src/component/host.ts';
import { createComponentHttp } from '../../src/http/component-http.ts';
import { createHostingClient } from '../../src/http/hosting-client.ts';
import { listenOnTcp } from '../../src/http/listener.ts';
import { createLoggingHost } from '../../src/logging-host.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { createCanary } from '../support/canary.ts';
import { ask, type HttpQuestion } from '../support/http.ts';
import { until } from '../support/until.ts';
import { prepareWasmpay, type RunningWasmpay, startWasmpay, type WasmpayFolder } from '../support/wasmpay.ts';
import {
  forComponent,
  NOT_LOADED_WITHOUT,
  POLICY_CHANGES,
  signsWhatIsInjected,
  WASMPAY_ROUTES,
} from '../support/wasmpay-changes.ts';

const ROLE = 'arn:aws:sts::111122223333:assumed-role/wasmpay-bedrock';
const INJECTED_ROLE = 'arn:aws:sts::111122223333:assumed-role/wasmpay-injected';
const PROMPT = 'a payment that arrived on time';

const LIMITS = { timeoutMs: 15_000, instances: 1, maxWaiting: 10, memoryBytes: 256 * 1024 ** 2 };

/** A token, the ID of an access key of AWS, which would show that there is one, or anything as long as its secrets. */
const CREDENTIAL = /eyJ|ASIA[A-Z2-7]{16}|(?<![\w+/=-])[A-Za-z0-9+/=]{40,}(?![\w+/=-])/;

/** The components that have a policy changed in one way, and that way. */
const CHANGED = Object.entries(POLICY_CHANGES).map(([what, change], index) => ({
  what,
  name: `changed-${index}`,
  ...change,
}));
const NOT_LOADED = Object.entries(NOT_LOADED_WITHOUT).map(([what, change], index) => ({
  what,
  name: `not-loaded-${index}`,
  ...change,
}));

const canary = createCanary();
/** All that the component has answered, with its headers. */
const answers: string[] = [];
const log = createMemoryLog();
let temp: string;
let policy: WasmpayFolder;
let wasmpay: RunningWasmpay;
/** As in `svidx run`, for many names: it compiles but once. */
let host: ComponentHost;
let bytes: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  temp = await mkdtemp(join(tmpdir(), 'svidx-'));
  policy = await prepareWasmpay(temp);
  const add = (name: string, edit: (text: string) => string): Promise<void> =>
    writeFile(join(policy.folder, `${name}.yaml`), forComponent(edit(policy.text), name));
  await Promise.all([...CHANGED, ...NOT_LOADED].map(({ name, edit }) => add(name, edit)));
  await add('signs', signsWhatIsInjected);
  bytes = await readFile(inject('wasmpayWasm'));
  wasmpay = await startWasmpay(policy, inject('wasmpayWasm'));
  host = createLoggingHost({
    broker: brokerAt(wasmpay.socket),
    hosting: createHostingClient(brokerSocketPath(wasmpay.socket)),
    clock: systemClock,
    logger: log.logger,
  });
  await plantSecretsOf('wasmpay');
});

afterAll(async () => {
  await host.close();
  canary.hear('the answers', answers);
  canary.hear('the host', log.lines);
  canary.hear('svidx dev and svidx run', await wasmpay.close());
  await rm(temp, { recursive: true, force: true });
  canary.expectSilence();
});

/** Whatever the service has for this component: it is held in memory there, so what the component had is the same. */
async function plantSecretsOf(component: string): Promise<void> {
  const broker = brokerAt(wasmpay.socket);
  const caller = { component, digest: wasmpay.digest };
  const [svid, ...credentials] = await Promise.allSettled([
    broker.identity(caller, ['sts.amazonaws.com']),
    broker.credentials(caller, 'bedrock'),
    broker.injected(caller, 'bedrock-injected'),
  ]);
  if (svid.status === 'fulfilled') canary.plant(svid.value.token.reveal());
  for (const result of credentials) {
    if (result.status !== 'fulfilled' || result.value.kind !== 'aws') continue;
    canary.plant(result.value.secretAccessKey.reveal());
    canary.plant(result.value.sessionToken.reveal());
  }
}

interface Answer {
  readonly status: number;
  readonly type: string | undefined;
  readonly json: unknown;
}

/** Asks a component; no answer has a secret in it. */
async function answerOf(url: string, question: HttpQuestion): Promise<Answer> {
  const { status, headers, text } = await ask(url, question);
  answers.push(text, JSON.stringify(headers));
  expect(text).not.toMatch(CREDENTIAL);
  const type = headers['content-type'];
  return { status, type, json: type === 'application/json' ? JSON.parse(text) : text };
}

function askRoute(url: string, route: (typeof WASMPAY_ROUTES)[number]): Promise<Answer> {
  if (route === 'token') return answerOf(url, { path: '/api/v1/token' });
  return answerOf(url, { method: 'POST', path: `/api/v1/story/${route}`, body: JSON.stringify({ prompt: PROMPT }) });
}

/** Who the model has told the story to. */
async function storyFor(url: string, route: 'exchange' | 'credentials' | 'inject'): Promise<string | undefined> {
  const { status, json } = await askRoute(url, route);
  expect({ status, json }).toEqual({
    status: 200,
    json: {
      way: route,
      model: 'anthropic.claude-3-haiku-20240307-v1:0',
      story: expect.stringContaining(PROMPT),
    },
  });
  return /\(Told to (\S+)\.\)$/.exec(Object(json).story)?.[1];
}

/** The component behind HTTP, under this name, until the test ends. */
async function serveAs(name: string, onTestFinished: TestContext['onTestFinished']): Promise<string> {
  const component = await host.load(name, bytes, LIMITS);
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, systemClock);
  listener.handle(createComponentHttp({ name, component, scheme: 'http', clock: systemClock, logger: log.logger }));
  onTestFinished(async () => {
    await listener.close();
    await component.retire();
  });
  await plantSecretsOf(name);
  return listener.url;
}

describe('wasmPay, run as its README says,', () => {
  test('has a page', async () => {
    const { status, type, json } = await answerOf(wasmpay.url, { path: '/' });
    expect([status, type]).toEqual([200, 'text/html; charset=utf-8']);
    for (const route of WASMPAY_ROUTES) expect(json).toContain(route);
  });

  test('says who it is, and keeps the token', async () => {
    const { status, json } = await askRoute(wasmpay.url, 'token');
    expect({ status, json }).toEqual({
      status: 200,
      json: {
        claims: {
          sub: 'spiffe://wasmcloud.dev/spiffe-in-practice/wasmpay',
          iss: wasmpay.issuer,
          aud: ['sts.amazonaws.com'],
          iat: expect.any(Number),
          exp: expect.any(Number),
        },
      },
    });
  });

  test('tells its stories to whoever signed: a session it opened itself, or one that its host did', async () => {
    expect(await storyFor(wasmpay.url, 'exchange')).toBe(`${ROLE}/wasmpay`);
    const byHost = `${ROLE}/spiffe-in-practice=wasmpay@wasmcloud.dev`;
    expect(await storyFor(wasmpay.url, 'credentials')).toBe(byHost);
    expect(await storyFor(wasmpay.url, 'inject')).toBe(byHost);
  });

  test.each([
    ['JSON that is broken', 'inject', '{"prompt": '],
    ['JSON that is no object', 'inject', 'null'],
    ['no body at all', 'exchange', undefined],
    ['no prompt', 'credentials', '{}'],
    ['an empty prompt', 'credentials', '{"prompt": ""}'],
    ['a prompt that is no text', 'exchange', '{"prompt": ["a"]}'],
  ])('refuses %s', async (_, route, body) => {
    const question = { method: 'POST', path: `/api/v1/story/${route}`, ...(body === undefined ? {} : { body }) };
    const message = 'expected a JSON object with a text "prompt"';
    expect(await answerOf(wasmpay.url, question)).toMatchObject({
      status: 400,
      json: { error: { from: 'request', code: 'invalid', message } },
    });
  });

  test('refuses more than it reads', async () => {
    const body = JSON.stringify({ prompt: 'a'.repeat(256 * 1024) });
    const answer = await answerOf(wasmpay.url, { method: 'POST', path: '/api/v1/story/inject', body });
    expect(answer).toMatchObject({ status: 413, json: { error: { from: 'request', code: 'too-large' } } });
  });

  test.each([
    ['GET', '/api/v1/story/inject', 405, 'method-not-allowed'],
    ['POST', '/api/v1/token', 405, 'method-not-allowed'],
    ['DELETE', '/', 405, 'method-not-allowed'],
    ['GET', '/api/v1/story/', 404, 'not-found'],
    ['POST', '/api/v1/story/none', 404, 'not-found'],
    ['POST', '/api/v1/story/inject/', 404, 'not-found'],
    ['GET', '/api/v1/../../etc/passwd', 404, 'not-found'],
  ])('refuses %s %s', async (method, path, status, code) => {
    const answer = await answerOf(wasmpay.url, { method, path });
    expect(answer).toMatchObject({ status, json: { error: { from: 'request', code } } });
  });
});

describe.concurrent('wasmPay and its policy:', () => {
  test.for(CHANGED)('without $what', async ({ name, refused }, { onTestFinished }) => {
    const url = await serveAs(name, onTestFinished);
    for (const route of WASMPAY_ROUTES) {
      const refusal = refused[route];
      const answer = await askRoute(url, route);
      if (refusal === undefined) {
        expect(answer, route).toMatchObject({ status: 200 });
        continue;
      }
      const [status, from, code, why] = refusal;
      const message = code === 'policy_denied' ? `component "${name}": ${why}` : why;
      expect(answer, route).toEqual({ status, type: 'application/json', json: { error: { from, code, message } } });
    }
  });

  test.for(NOT_LOADED)('it is not loaded without $what', async ({ name, advice }) => {
    await expect(host.load(name, bytes, LIMITS)).rejects.toMatchObject({
      code: 'component_import_denied',
      message: expect.stringContaining(advice),
    });
  });

  test('it follows edits while it runs', async () => {
    const audiences = /^audiences: .*$/m;
    const within = { within: 10_000 };
    await writeFile(policy.file, policy.text.replace(audiences, 'audiences: [other.example.org]'));
    const ask = (): Promise<Answer> => askRoute(wasmpay.url, 'token');
    const { json } = await until('the audience is gone', ask, ({ status }) => status !== 200, within);
    expect(json).toMatchObject({ error: { from: 'wasmcloud:identity/store', code: 'policy_denied' } });
    // What needs no token of its own goes on.
    await storyFor(wasmpay.url, 'credentials');
    await writeFile(policy.file, policy.text);
    await until('the audience is back', ask, ({ status }) => status === 200, within);
  });

  test('it is nobody under a name that has no policy', async () => {
    await expect(host.load('nobody', bytes, LIMITS)).rejects.toMatchObject({ code: 'policy_denied' });
  });

  test('a signature of its own does not get to where the host signs', async ({ onTestFinished }) => {
    const url = await serveAs('signs', onTestFinished);
    const byHost = `${INJECTED_ROLE}/spiffe-in-practice=signs@wasmcloud.dev`;
    expect(await storyFor(url, 'exchange')).toBe(byHost);
    expect(await storyFor(url, 'credentials')).toBe(byHost);
    expect(await storyFor(url, 'inject')).toBe(byHost);
  });
});
