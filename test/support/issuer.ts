import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { type Issuer, parseIssuer, parseJwksUri } from '../../src/config/issuer.ts';
import { createIssuerApp, type IssuerAppOptions } from '../../src/http/issuer-app.ts';
import { listenOnTcp } from '../../src/http/listener.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { createFakeBundleSource, type FakeBundleSource } from '../fakes/bundle-source.ts';
import { ask, type HttpAnswer, type HttpQuestion } from './http.ts';
import { loopbackListeners } from './listeners.ts';

export interface RunningIssuer {
  readonly issuer: Issuer;
  readonly bundles: FakeBundleSource;
  /** Where it listens, whatever the issuer is called. */
  readonly server: string;
  ask(question: HttpQuestion): Promise<HttpAnswer>;
}

/**
 * The issuer of `example.org` on a real listener.
 * @param options.url the issuer; where it listens if left out, so that the documents lead to each other
 */
export async function startIssuer(
  options: {
    keys?: readonly object[];
    url?: string;
    jwksUri?: string;
    limits?: Partial<IssuerAppOptions>;
    /** What depends on what the issuer is called. */
    withIssuer?: (issuer: Issuer) => Partial<IssuerAppOptions>;
  } = {},
): Promise<RunningIssuer> {
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, systemClock);
  onTestFinished(listener.close);
  const parsed = parseIssuer(options.url ?? listener.url);
  if ('problem' in parsed) throw new Error(parsed.problem);
  const keys = parseJwksUri(options.jwksUri ?? parsed.keysUrl);
  if ('problem' in keys) throw new Error(keys.problem);
  const issuer = { ...parsed, ...keys };
  const bundles = createFakeBundleSource(options.keys);
  listener.handle(
    createIssuerApp({
      issuer,
      trustDomain: TrustDomain.parse('example.org'),
      bundles,
      clock: systemClock,
      ...loopbackListeners(issuer),
      loopback: true,
      ...options.limits,
      ...options.withIssuer?.(issuer),
    }),
  );
  return { issuer, bundles, server: listener.url, ask: (question) => ask(listener.url, question) };
}
