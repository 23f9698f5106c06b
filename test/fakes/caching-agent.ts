import type { Clock } from '../../src/base/clock.ts';
import { SvidxError } from '../../src/base/errors.ts';
import type { JwtSvidSource } from '../../src/identity/source.ts';
import type { JwtSvid } from '../../src/spiffe/jwt-svid.ts';

/** What SPIRE's agent does between a delegate and its server. */
export interface CachingAgent extends JwtSvidSource {
  /** How often the agent was asked, how often it has answered, and how often it asked its server. */
  readonly asked: number;
  readonly answered: number;
  readonly minted: number;
  /** Whether the server can be reached. */
  server: 'up' | 'down';
}

/**
 * SPIRE's agent as a model: it hands out the token it has until 45 to 55% of its life are left, drawn anew for each
 * request, and while its server is away to the very end (SPIRE agent, pkg/agent/manager and pkg/common/rotationutil).
 */
export function createCachingAgent(
  server: JwtSvidSource,
  { clock, random }: { readonly clock: Clock; readonly random: () => number },
): CachingAgent {
  const held = new Map<string, JwtSvid>();
  const agent = {
    asked: 0,
    answered: 0,
    minted: 0,
    server: 'up' as 'up' | 'down',
    async fetchJwtSvid(...request: Parameters<JwtSvidSource['fetchJwtSvid']>) {
      agent.asked += 1;
      try {
        return await answer(...request);
      } finally {
        agent.answered += 1;
      }
    },
  };
  return agent;

  async function answer(...[subject, audience, signal]: Parameters<JwtSvidSource['fetchJwtSvid']>): Promise<JwtSvid> {
    const key = JSON.stringify([subject.spiffeId.toString(), [...audience].toSorted()]);
    const token = held.get(key);
    const left = token === undefined ? 0 : token.expiresAt - clock.now();
    if (token !== undefined && left > 0) {
      const life = token.expiresAt - (token.issuedAt ?? 0);
      if (left > life * (0.45 + 0.1 * random()) || agent.server === 'down') return token;
    }
    if (agent.server === 'down') throw new SvidxError('identity_unavailable', 'could not fetch JWT-SVID');
    const fresh = await server.fetchJwtSvid(subject, audience, signal);
    agent.minted += 1;
    held.set(key, fresh);
    return fresh;
  }
}
