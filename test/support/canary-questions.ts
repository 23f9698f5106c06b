import { expect } from 'vitest';
import type { ErrorCode } from '../../src/base/errors.ts';
import type { ImportContext } from '../../src/component/host-import.ts';
import { credentialsImport } from '../../src/component/imports/credentials.ts';
import { identityImport } from '../../src/component/imports/identity.ts';
import { createBrokerClient } from '../../src/http/broker-client.ts';
import { createFakeHosting } from '../fakes/hosting.ts';
import type { CanaryWorld } from './canary-world.ts';
import { refusal } from './errors.ts';
import { ask, type HttpAnswer } from './http.ts';

/** What somebody asks the service for: an identity, or credentials. */
export type Question =
  | { readonly component: string; readonly audience: readonly [string, ...string[]] }
  | { readonly component: string; readonly grant: string };

export const IDENTITY: Question = { component: 'api', audience: ['a.example.org'] };
export const CREDENTIALS: Question = { component: 'api', grant: 'models' };
export const OTHER_CREDENTIALS: Question = { component: 'api', grant: 'others' };

/** Asks over the private socket. */
export function post({ service }: CanaryWorld, question: object): Promise<HttpAnswer> {
  return ask(service.urls.broker, {
    method: 'POST',
    path: 'grant' in question ? '/v1/credentials' : '/v1/token',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(question),
  });
}

/** Asks in every way there is, is refused with this code each time, and lets the canary hear each refusal. */
export async function expectRefused(world: CanaryWorld, question: Question, code: ErrorCode): Promise<void> {
  const { canary, service } = world;
  for (const broker of [service.broker, createBrokerClient(service.urls.broker.replace(/^unix:/, ''))]) {
    const error = await refusal(
      'grant' in question ? broker.credentials(question, question.grant) : broker.identity(question, question.audience),
    );
    expect(error.code).toBe(code);
    canary.hearError(broker === service.broker ? 'the error' : "the client's error", error);
  }
  const { headers, text } = await post(world, question);
  expect(JSON.parse(text)).toMatchObject({ code });
  canary.hear('the answer over HTTP', JSON.stringify(headers) + text);

  const get = ('grant' in question ? credentialsImport : identityImport).functions['get'];
  const context: ImportContext = { caller: question, broker: service.broker, hosting: createFakeHosting() };
  const outcome = await get?.(context, ['grant' in question ? question.grant : question.audience[0]]);
  expect(outcome).toHaveProperty('err');
  canary.hear("the component's error", JSON.stringify(outcome));
}

/** All that the service has said is heard, and nothing of it may hold a secret. */
export function expectSilence({ canary, log }: CanaryWorld): void {
  canary.hear('the log', log.lines);
  canary.expectSilence();
}
