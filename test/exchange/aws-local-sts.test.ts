import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { createAuthority } from '../../src/dev/authority.ts';
import { createAwsExchanger } from '../../src/exchange/aws.ts';
import type { Audience } from '../../src/spiffe/audience.ts';
import { parseJwtSvidUnverified } from '../../src/spiffe/jwt-svid.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { impatientClock } from '../fakes/impatient-clock.ts';
import { unaborted } from '../support/delegated-identity.ts';
import { refusal } from '../support/errors.ts';
import { MODELS_GRANT } from '../support/exchange.ts';
import { startWorld, type World } from '../support/world.ts';

async function mint(world: World, options: { id?: string; audience?: Audience; ttl?: number } = {}) {
  const { token } = await world.trust.authority.mint({
    spiffeId: SpiffeId.parse(options.id ?? 'spiffe://example.org/team/api'),
    audience: options.audience ?? ['sts.amazonaws.com'],
    ttl: options.ttl ?? 300,
  });
  return parseJwtSvidUnverified(token);
}

function exchangerFor(world: World, clock: Clock = systemClock) {
  return createAwsExchanger({ clock, random: () => 0.5, endpoint: world.trust.stsUrl });
}

describe('against an STS that checks tokens as AWS does', () => {
  test('a JWT-SVID that the role trusts is exchanged for credentials that work', async () => {
    const world = await startWorld();
    const credentials = await exchangerFor(world).exchange(await mint(world), MODELS_GRANT, { signal: unaborted() });
    const sts = new STSClient({
      region: 'us-east-1',
      endpoint: world.trust.stsUrl,
      credentials: {
        accessKeyId: credentials.accessKeyId,
        secretAccessKey: credentials.secretAccessKey.reveal(),
        sessionToken: credentials.sessionToken.reveal(),
      },
    });
    expect(await sts.send(new GetCallerIdentityCommand({}))).toMatchObject({
      Arn: 'arn:aws:sts::111122223333:assumed-role/models/team=api@example.org',
    });
    const life = credentials.expiresAt - Date.now();
    expect(life).toBeGreaterThan(890_000);
    expect(life).toBeLessThanOrEqual(900_000);
  });

  test.each([
    ['another SPIFFE ID', { id: 'spiffe://example.org/team/ledger' }, {}, 'exchange_denied'],
    ['a role that does not exist', {}, { roleArn: 'arn:aws:iam::111122223333:role/nobody' }, 'exchange_denied'],
    ['another audience', { audience: ['other.example.org'] as const }, {}, 'exchange_token_rejected'],
    ['an expired token', { ttl: -10 }, {}, 'exchange_token_rejected'],
    ['a session longer than the role allows', {}, { durationSeconds: 43_200 }, 'exchange_request_rejected'],
  ] as const)('%s is refused, and STS is not asked again', async (_, token, grant, code) => {
    const world = await startWorld();
    const clock = impatientClock();
    const exchange = exchangerFor(world, clock).exchange(
      await mint(world, token),
      { ...MODELS_GRANT, ...grant },
      { signal: unaborted() },
    );
    const error = await refusal(exchange);
    expect(error.code).toBe(code);
    expect(clock.waits).toEqual([]);
  });

  test('a token of an issuer that the account does not know is refused', async () => {
    const world = await startWorld();
    const stranger = await createAuthority({
      clock: { now: systemClock.now, after: () => ({ cancel: () => {} }) },
      keyType: 'ec-p256',
      jwtIssuer: 'https://stranger.example',
      keyTtlMs: 3600_000,
    });
    const { token } = await stranger.mint({
      spiffeId: SpiffeId.parse('spiffe://example.org/team/api'),
      audience: ['sts.amazonaws.com'],
      ttl: 300,
    });
    const error = await refusal(
      exchangerFor(world).exchange(parseJwtSvidUnverified(token), MODELS_GRANT, { signal: unaborted() }),
    );
    expect(error.code).toBe('exchange_token_rejected');
    expect(error.detail).toContain('No OpenIDConnect provider found in your account for https://stranger.example');
  });

  test('a key that STS cannot find yet is trouble that may pass', async () => {
    const world = await startWorld();
    const successor = await createAuthority({
      clock: { now: systemClock.now, after: () => ({ cancel: () => {} }) },
      keyType: 'ec-p256',
      jwtIssuer: world.config.issuer.url,
      keyTtlMs: 3600_000,
    });
    const { token } = await successor.mint({
      spiffeId: SpiffeId.parse('spiffe://example.org/team/api'),
      audience: ['sts.amazonaws.com'],
      ttl: 300,
    });
    const clock = impatientClock();
    const exchange = exchangerFor(world, clock).exchange(parseJwtSvidUnverified(token), MODELS_GRANT, {
      signal: unaborted(),
    });
    expect((await refusal(exchange)).code).toBe('exchange_unavailable');
    expect(clock.waits).toHaveLength(2);
  });
});
