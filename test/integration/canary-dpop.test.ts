import { readFile } from 'node:fs/promises';
import { describe, expect, inject, test } from 'vitest';
import type { ErrorCode } from '../../src/base/errors.ts';
import { createBrokerClient } from '../../src/http/broker-client.ts';
import { createHostingClient } from '../../src/http/hosting-client.ts';
import { expectRefused, expectSilence, post, type Question } from '../support/canary-questions.ts';
import { type CanaryWorld, POLICY, startCanaryWorld } from '../support/canary-world.ts';
import { eventually } from '../support/eventually.ts';
import { findLeaks } from '../support/find-leaks.ts';
import {
  type HttpScript,
  json,
  oauthError,
  type ScriptedOAuth,
  startScriptedOAuth,
  tokenAnswer,
} from '../support/oauth.ts';
import { startServiceHost, TEST_LIMITS } from '../support/service-host.ts';
import { svidx } from '../support/svidx.ts';
import { postForm, requestFields } from '../support/token-endpoint.ts';

const PAYMENTS: Question = { component: 'api', grant: 'payments' };
const OTHERS: Question = { component: 'api', grant: 'invoices' };

interface World extends CanaryWorld {
  readonly oauth: ScriptedOAuth;
  /** The secret part of a key, planted: the form in which it would be of use to anybody. */
  plantKey(proofKey: string): string;
}

/** A service whose grants `payments` and `invoices` are for access tokens that are bound to a key. */
async function start(): Promise<World> {
  const oauth = await startScriptedOAuth();
  const grant = `{ oauth: { issuer: '${oauth.issuer}', dpop: true } }`;
  const world = await startCanaryWorld({
    policy: `${POLICY}  payments: ${grant}\n  invoices: ${grant}\ntokenEndpoint: { subjects: ['spiffe://example.org/batch'] }\n`,
    tokenEndpoint: true,
  });
  oauth.onToken = () => tokenAnswer({ token_type: 'DPoP', access_token: world.canary.plant(crypto.randomUUID()) });
  return {
    ...world,
    oauth,
    plantKey: (proofKey) => world.canary.plant(JSON.parse(proofKey).d),
  };
}

describe('the key that an access token is bound to', () => {
  test('is handed out with the token in each way there is, and nobody writes it down', async () => {
    const world = await start();
    const { canary, service } = world;
    const socket = service.urls.broker.replace(/^unix:/, '');
    const answer = await post(world, PAYMENTS);
    const { token, proofKey } = JSON.parse(answer.text);
    const d = world.plantKey(proofKey);
    expect(d).toMatch(/^[\w-]{43}$/);
    canary.hear('headers', JSON.stringify(answer.headers));
    // Control: what should hold the key does, and is found out.
    expect(findLeaks(answer.text, [d])).not.toEqual([]);

    const printed = await svidx(['credentials', 'payments', '--component', 'api', '--socket', socket]);
    expect(JSON.parse(printed.stdout)).toMatchObject({ token, proofKey, tokenType: 'DPoP' });
    canary.hear('svidx credentials', printed.stderr);

    const subject = await world.mint({
      subject: 'spiffe://example.org/batch',
      audience: ['https://oidc.example.org'],
    });
    const redeemed = await postForm(service.urls.http, requestFields(subject, { audience: 'payments' }));
    expect(JSON.parse(JSON.parse(redeemed.text).access_token)).toMatchObject({ token, proofKey });
    canary.hear('headers', JSON.stringify(redeemed.headers));

    const host = startServiceHost({ broker: createBrokerClient(socket), hosting: createHostingClient(socket) });
    const component = await host.load('api', await readFile(inject('apiGatewayWasm')), TEST_LIMITS);
    const called = await component.call('credentials-for', ['payments']);
    expect(called).toMatchObject({ ok: { tag: 'oauth', val: { token, tokenType: 'DPoP', proofKey } } });
    expect(world.oauth.tokens.all).toHaveLength(1);
    expect(world.log.audits().map(({ action }) => action)).toContain('credentials.exchange');
    expectSilence(world);
  });

  test('goes into no variable, and those who want it there are told without it', async () => {
    const world = await start();
    world.plantKey(JSON.parse((await post(world, PAYMENTS)).text).proofKey);
    const asApi = ['--component', 'api', '--socket', world.service.urls.broker.replace(/^unix:/, '')];
    const command = [process.execPath, '-e', 'console.log("started")'];
    for (const words of [
      ['credentials', 'payments', ...asApi, '--format', 'env'],
      ['credentials', 'payments', ...asApi, '--format', 'process'],
      ['exec', ...asApi, '--grant', 'payments', '--', ...command],
    ]) {
      const { code, stdout, stderr } = await svidx(words);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/^svidx: usage_invalid: /);
      world.canary.hear(words.join(' '), stderr);
    }
    expectSilence(world);
  });

  test('is another one for the next token, and the old one stays as silent', async () => {
    const world = await start();
    const first = world.plantKey(JSON.parse((await post(world, PAYMENTS)).text).proofKey);
    world.skip(6 * 60_000);
    await post(world, PAYMENTS);
    await eventually(async () => expect(world.oauth.tokens.all).toHaveLength(2));
    const second = await eventually(async () => {
      const d = JSON.parse(JSON.parse((await post(world, PAYMENTS)).text).proofKey).d;
      expect(d).not.toBe(first);
      return world.canary.plant(d);
    });
    expect(second).not.toBe(first);
    expectSilence(world);
  });

  test.each<[string, (echo: string, world: World) => HttpScript, ErrorCode]>([
    ['refuses the proof', (echo) => oauthError(400, 'invalid_dpop_proof', echo), 'exchange_request_rejected'],
    ['wants nonces for ever', (echo) => nonceDemand(echo), 'exchange_request_rejected'],
    ['refuses the token', (echo) => oauthError(400, 'invalid_grant', echo), 'exchange_token_rejected'],
    ['fails', (echo) => ({ status: 502, body: echo }), 'exchange_unavailable'],
    ['answers with a type that is none', (echo) => tokenAnswer({ token_type: echo }), 'exchange_response_invalid'],
    [
      'ignores the proof',
      (_, { canary }) => tokenAnswer({ access_token: canary.plant(crypto.randomUUID()) }),
      'exchange_response_invalid',
    ],
  ])('stays where it is when the server repeats everything and %s', async (_, script, code) => {
    const world = await start();
    world.plantKey(JSON.parse((await post(world, PAYMENTS)).text).proofKey);
    world.oauth.onToken = ({ headers, body }) => {
      world.canary.plant(String(headers['dpop']));
      return script(`${headers['dpop']} ${body}`, world);
    };
    await expectRefused(world, OTHERS, code);
    expectSilence(world);
  });
});

/** The nonce ends up in the next proof, which is repeated as well. */
function nonceDemand(echo: string): HttpScript {
  return json(400, { error: 'use_dpop_nonce', error_description: echo }, { 'DPoP-Nonce': 'a-nonce' });
}
