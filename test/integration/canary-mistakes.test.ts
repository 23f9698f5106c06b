import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { asker } from '../fakes/components.ts';
import { telltale } from '../fakes/telltale-component.ts';
import { assembleText } from '../support/assemble.ts';
import { CREDENTIALS, expectRefused, expectSilence, post, type Question } from '../support/canary-questions.ts';
import { type CanaryWorld, startCanaryWorld } from '../support/canary-world.ts';
import { type RunningHost, startHost } from '../support/components.ts';
import { refusal } from '../support/errors.ts';
import { eventually } from '../support/eventually.ts';
import { hostingOf } from '../support/hosting.ts';
import { ask, askRaw } from '../support/http.ts';

/** A token is a secret wherever somebody puts it, and so is one of the service's own that is put back in. */
async function tokenOf(world: CanaryWorld): Promise<string> {
  const { text } = await post(world, { component: 'api', audience: ['b.example.org'] });
  return JSON.parse(text).token;
}

describe('a token that somebody puts where a name belongs', () => {
  test.each<[string, (token: string) => Question]>([
    ['an audience', (token) => ({ component: 'api', audience: [token] })],
    ['one audience of several', (token) => ({ component: 'api', audience: [`Bearer ${token}`, 'a.example.org'] })],
    ['the name of a grant', (token) => ({ component: 'api', grant: token })],
    ['the name of a component', (token) => ({ component: token, grant: 'models' })],
    ['the name of a component that wants an identity', (token) => ({ component: `x/${token}`, audience: ['a'] })],
  ])('%s', async (_, question) => {
    const world = await startCanaryWorld();
    await expectRefused(world, question(await tokenOf(world)), 'policy_denied');
    expect(world.log.audits().filter(({ outcome }) => outcome === 'denied')).toHaveLength(4);
    expectSilence(world);
  });

  test.each<[string, (token: string) => object]>([
    ['a digest', (token) => ({ component: 'api', grant: 'models', digest: token })],
    ['a list in place of a name', (token) => ({ component: [token], grant: 'models' })],
    ['the name of a field', (token) => ({ component: 'api', grant: 'models', [token]: 1 })],
    ['the name of a field of a name', (token) => ({ component: { [token]: token }, grant: 'models' })],
    ['an audience that is no list', (token) => ({ component: 'api', audience: token })],
    ['a name that is too long', (token) => ({ component: 'api', grant: token.repeat(20) })],
    ['a body that is too large', (token) => ({ component: 'api', grant: token.repeat(100) })],
  ])('in the body: %s', async (_, body) => {
    const world = await startCanaryWorld();
    const { status, headers, text } = await post(world, body(await tokenOf(world)));
    expect([400, 413]).toContain(status);
    world.canary.hear('the answer', text + JSON.stringify(headers));
    expectSilence(world);
  });

  test.each<[string, (token: string) => string]>([
    ['that is no JSON', (token) => token],
    ['in quotes', (token) => `"${token}"`],
    ['behind a good beginning', (token) => `{"component": "api", "grant": ${token}}`],
  ])('for a body, %s', async (_, body) => {
    const world = await startCanaryWorld();
    const headers = { 'Content-Type': 'application/json' };
    const question = { method: 'POST', path: '/v1/token', headers, body: body(await tokenOf(world)) };
    const { status, text } = await ask(world.service.urls.broker, question);
    expect(status).toBe(400);
    world.canary.hear('the answer', text);
    expectSilence(world);
  });

  test.each<[string, (token: string) => string]>([
    ['a path', (token) => `/${token}`],
    ['the end of a path', (token) => `/v1/token/${token}`],
    ['a query', (token) => `/v1/token?${token}`],
    ['a query of what is published', (token) => `/keys?access_token=${token}`],
    ['a path that cannot be decoded', (token) => `/%zz%${token}`],
    ['a path like a host', (token) => `//${token}/keys`],
    ['a path and a query with more of them', (token) => `/${token}/${token}?${token}#${token}`],
    ['a whole URL', (token) => `http://${token}:80/${token}`],
    ['a URL that is none', (token) => `http://[${token}/`],
  ])('at the private socket and at the issuer: %s', async (_, path) => {
    const world = await startCanaryWorld();
    const token = await tokenOf(world);
    for (const server of [world.service.urls.broker, world.service.urls.http]) {
      for (const method of ['GET', 'POST', 'OPTIONS', 'PURGE']) {
        const headers = { Authorization: `Bearer ${token}`, 'Content-Type': token, 'If-None-Match': token };
        const answer = await ask(server, { method, path: path(token), headers });
        world.canary.hear(`${method} ${server}`, JSON.stringify(answer));
      }
    }
    expectSilence(world);
  });

  test.each<[string, (token: string) => string]>([
    ['a method', (token) => `${token} / HTTP/1.1\r\nHost: a\r\n\r\n`],
    ['a version', (token) => `GET / ${token}\r\n\r\n`],
    ['a whole request', (token) => `${token}\r\n\r\n`],
    ['a header', (token) => `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${token}: x\r\n\r\n`],
    ['a length', (token) => `POST /v1/token HTTP/1.1\r\nHost: a\r\nContent-Length: ${token}\r\n\r\n`],
  ])('in a request that is none: %s', async (_, bytes) => {
    const world = await startCanaryWorld();
    const token = await tokenOf(world);
    for (const server of [world.service.urls.broker, world.service.urls.http]) {
      world.canary.hear(server, await askRaw(server, bytes(token)));
    }
    expectSilence(world);
  });
});

test('a token in a policy file that is read anew is not logged with what is wrong there', async () => {
  const world = await startCanaryWorld();
  await writeFile(join(world.policyFolder, 'b.yaml'), `${await tokenOf(world)}: 1\n`);
  await eventually(async () => expect(world.log.lines.join()).toContain('policies.reload_failed'));
  expect(world.log.lines.join()).toContain('unknown key');
  expectSilence(world);
});

describe('a component', () => {
  function hostOf({ service }: CanaryWorld): RunningHost {
    return startHost({ broker: service.broker, hosting: hostingOf(service) });
  }

  test('has its secrets, and only it, whether it returns them, fails with them or traps with them', async () => {
    const world = await startCanaryWorld();
    const component = await hostOf(world).load('api', await telltale());
    const token = await component.call('token-as-error', ['a.example.org']);
    const key = await component.call('secret-key-as-error', ['models']);
    expect([token, key].every((result) => 'err' in result && world.canary.secrets.has(String(result.err)))).toBe(true);
    world.canary.hearError('the trap', await refusal(component.call('token-then-trap', ['a.example.org'])));
    expectSilence(world);
  });

  test('is refused in its own interface without what it has asked for by mistake', async () => {
    const world = await startCanaryWorld();
    const component = await hostOf(world).load('api', await asker());
    const token = await tokenOf(world);
    for (const fn of ['token', 'credentials']) {
      const result = await component.call(fn, [token]);
      expect(result).toHaveProperty('err');
      world.canary.hear(fn, JSON.stringify(result));
    }
    world.canary.hearError('no function', await refusal(component.call(token, [])));
    world.canary.hearError('no argument', await refusal(component.call('token', [token, token])));
    world.canary.hearError('no value', await refusal(component.call('token', [{ toString: () => token }])));
    expectSilence(world);
  });

  test.each<[string, (token: string) => Uint8Array | Promise<Uint8Array>]>([
    ['is a token', (token) => Buffer.from(token)],
    ['begins well and goes on as one', (token) => Buffer.from(`\0asm\x0d\0\x01\0${token}`)],
    ['is a module with one in it', (token) => assembleText(`(module (memory 1) (data (i32.const 0) "${token}"))`)],
    [
      'imports one',
      (token) => assembleText(`(component (import "a:b/c" (instance (export "${kebab(token)}" (func)))))`),
    ],
  ])('that %s is refused without it', async (_, bytes) => {
    const world = await startCanaryWorld();
    const token = await tokenOf(world);
    world.canary.hearError('the error', await refusal(hostOf(world).load(token, await bytes(token))));
    await post(world, CREDENTIALS);
    expectSilence(world);
  });

  /** As much of it as a name of WIT may hold. */
  function kebab(token: string): string {
    return `a${token.replace(/[^a-z0-9]/gi, '').toLowerCase()}`;
  }
});
