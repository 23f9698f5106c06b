import type { ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { type Listener, listenOnTcp } from '../../src/http/listener.ts';

/** What the issuer answers at one path: a JSON value, a text, or whatever a function does with the response. */
export type IssuerAnswer = object | string | ((response: ServerResponse) => void);

/** An OIDC issuer for one test, whose every document a test can spoil. */
export interface FakeOidcIssuer {
  /** The issuer; its documents are at `/.well-known/openid-configuration` and `/keys`. */
  readonly url: string;
  /** Answers by path; every other path is 404. */
  readonly answers: Record<string, IssuerAnswer>;
  /** The paths that were asked for, in order. */
  readonly asked: string[];
  readonly close: Listener['close'];
}

export const DISCOVERY_PATH = '/.well-known/openid-configuration';

export async function startOidcIssuer(keys: readonly object[]): Promise<FakeOidcIssuer> {
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, systemClock);
  onTestFinished(listener.close);
  const issuer: FakeOidcIssuer = {
    url: listener.url,
    answers: {
      [DISCOVERY_PATH]: { issuer: listener.url, jwks_uri: `${listener.url}/keys` },
      '/keys': { keys },
    },
    asked: [],
    close: listener.close,
  };
  listener.handle((request, response) => {
    const path = request.url ?? '';
    issuer.asked.push(path);
    const answer = issuer.answers[path];
    if (answer === undefined) response.writeHead(404).end('not found');
    else if (typeof answer === 'function') answer(response);
    else response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
  });
  return issuer;
}
