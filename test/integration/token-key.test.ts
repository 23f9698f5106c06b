import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { createAuthority } from '../../src/dev/authority.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { createFakeClock } from '../fakes/clock.ts';
import { startScriptedAgent } from '../fakes/scripted-agent.ts';
import { eventually } from '../support/eventually.ts';
import { startWorld } from '../support/world.ts';

test('a token whose key is not published has it published, while the bundle stream waits for its next attempt', async () => {
  const clock = createFakeClock();
  const authority = await createAuthority({
    clock: { now: clock.now, after: () => ({ cancel: () => {} }) },
    keyType: 'ec-p256',
    jwtIssuer: 'https://oidc.example.org',
    keyTtlMs: 24 * 3600_000,
  });
  const agent = await startScriptedAgent();
  agent.onStream = (stream) => stream.send({ 'spiffe://example.org': authority.jwkSet() });
  agent.onFetch = async () => {
    const spiffeId = SpiffeId.parse('spiffe://example.org/team/api');
    const { token } = await authority.mint({ spiffeId, audience: ['sts.amazonaws.com'], ttl: 300 });
    return { svids: [{ token, id: { trust_domain: 'example.org', path: '/team/api' } }] };
  };
  const { service, config, log } = await startWorld({
    clock,
    config: { spireSocket: agent.socketPath, bundle: { from: 'delegatedIdentity', socket: agent.socketPath } },
  });
  const published = async (): Promise<unknown[]> => {
    const answer = await fetch(config.issuer.keysUrl);
    const { keys }: { keys: { kid: string }[] } = JSON.parse(await answer.text());
    return keys.map(({ kid }) => kid);
  };

  const stream = await agent.streams.next();
  stream.fail(status.UNAVAILABLE, 'gone');
  await eventually(async () => {
    expect(log.entries()).toContainEqual(expect.objectContaining({ event: 'bundles.stream_ended' }));
  });
  await authority.rotate();
  expect(await published()).toHaveLength(1);
  // The clock stands still, so that without the token the stream would never be opened again.
  const svid = await service.broker.identity({ component: 'api' }, ['sts.amazonaws.com']);
  await eventually(async () => expect(await published()).toContain(svid.keyId));
});
