import { type ScriptedAgent, startScriptedAgent } from '../fakes/scripted-agent.ts';
import type { Chain } from './doctor.ts';
import type { TestKey } from './jwk.ts';

/** The SPIFFE ID of `api`, as the wire carries it. */
export const API_ID = { trust_domain: 'example.org', path: '/team/api' };

/** An agent that sends these bundles, by default the chain's own, and answers for tokens as the test says. */
export async function scripted(chain: Chain, bundles?: Readonly<Record<string, string>>): Promise<ScriptedAgent> {
  const agent = await startScriptedAgent();
  agent.onStream = (stream) => stream.send(bundles ?? { 'spiffe://example.org': chain.spire.authority.jwkSet() });
  await chain.configure({ adminSocket: agent.socketPath });
  return agent;
}

/** A JWT-SVID of `api`, good but for these claims. */
export async function signed(chain: Chain, key: TestKey, claims: object = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const usual = { sub: 'spiffe://example.org/team/api', aud: ['sts.amazonaws.com'], iat: now, exp: now + 300 };
  const token = await key.sign({ ...usual, iss: chain.issuer.issuer.url, ...claims });
  chain.tokens.push(token);
  return token;
}
