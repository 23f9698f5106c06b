import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/base/errors.ts';
import { createTokenRedeemer } from '../../src/broker/token-redeemer.ts';
import { JwtBundle } from '../../src/spiffe/jwt-bundle.ts';
import { MAX_TOKEN_LENGTH } from '../../src/spiffe/jwt-svid.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { createFakeBroker, FAKE_CREDENTIALS, refusalWithDetail } from '../fakes/broker.ts';
import { createFakeClock } from '../fakes/clock.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { refusal } from '../support/errors.ts';
import { makeKey, type TestKey } from '../support/jwk.ts';
import { compile } from '../support/policies.ts';

const ISSUER = 'https://oidc.example.org/td';
const BATCH = 'spiffe://partner.example/batch';

/** Its role has the name of the component, as all of these. */
function policy(component: string, subjects: readonly string[], grant = 'models'): string {
  return JSON.stringify({
    component,
    spiffeId: `spiffe://example.org/${component}`,
    selectors: [`a:${component}`],
    grants: { [grant]: { aws: { roleArn: `arn:aws:iam::111122223333:role/${component}`, region: 'us-east-1' } } },
    ...(subjects.length === 0 ? {} : { tokenEndpoint: { subjects } }),
  });
}

/** A key of each trust domain, under one ID. */
let ours: TestKey;
let theirs: TestKey;
let stray: TestKey;
beforeAll(async () => {
  [ours, theirs, stray] = await Promise.all([
    makeKey('ES256', 'same'),
    makeKey('ES256', 'same'),
    makeKey('ES256', 'same'),
  ]);
});

function start() {
  const clock = createFakeClock();
  const log = createMemoryLog();
  const broker = createFakeBroker();
  const world = {
    clock,
    log,
    broker,
    policies: compile(policy('api', [BATCH, 'spiffe://example.org/api']), policy('ledger', [], 'books')),
    bundles: new Map([
      ['example.org', bundleOf('example.org', ours)],
      ['partner.example', bundleOf('partner.example', theirs)],
    ]),
    /** Seconds since 1970. */
    now: () => Math.floor(clock.now() / 1000),
    claims: (changes: Readonly<Record<string, unknown>> = {}) => ({
      sub: BATCH,
      aud: [ISSUER],
      iat: world.now(),
      exp: world.now() + 300,
      ...changes,
    }),
    async refused(subjectToken: string, grant = 'models'): Promise<ErrorCode> {
      const asked = broker.asked.length;
      const error = await refusal(redeemer.redeem({ subjectToken, grant, shapes: undefined }));
      expect(broker.asked).toHaveLength(asked);
      expect(log.audits().at(-1)).toMatchObject({ action: 'credentials.redeem', code: error.code });
      if (subjectToken.length > 16) expect(log.lines.join()).not.toContain(subjectToken);
      return error.code;
    },
  };
  const redeemer = createTokenRedeemer({
    broker,
    policies: () => world.policies,
    bundles: { get: ({ name }) => world.bundles.get(name) },
    trustDomain: TrustDomain.parse('example.org'),
    audience: ISSUER,
    clock,
    logger: log.logger,
  });
  return Object.assign(world, {
    redeem: (subjectToken: string, grant = 'models') => redeemer.redeem({ subjectToken, grant, shapes: undefined }),
    redeemer,
  });
}

function bundleOf(trustDomain: string, key: TestKey): JwtBundle {
  return JwtBundle.parse(TrustDomain.parse(trustDomain), JSON.stringify({ keys: [key.jwk] }));
}

describe('whoever proves to be a subject that a policy lists', () => {
  test('has the grant of that component, asked for in its name', async () => {
    const world = start();
    const token = await theirs.sign(world.claims());
    expect(await world.redeem(token)).toBe(FAKE_CREDENTIALS);
    expect(world.broker.asked).toEqual([{ caller: { component: 'api' }, grant: 'models' }]);
    expect(world.log.audits()).toEqual([
      {
        action: 'credentials.redeem',
        outcome: 'ok',
        component: 'api',
        spiffeId: 'spiffe://example.org/api',
        grant: 'models',
        subject: BATCH,
        subjectTokenSha256: createHash('sha256').update(token).digest('hex'),
        durationMs: 0,
      },
    ]);
  });

  test('has it by a token of our own trust domain too, and again by the same token', async () => {
    const world = start();
    const token = await ours.sign(world.claims({ sub: 'spiffe://example.org/api' }));
    await world.redeem(token);
    await world.redeem(token);
    expect(world.broker.asked).toHaveLength(2);
  });

  test('has it by a token whose one audience is a text, or stands there twice', async () => {
    const world = start();
    await world.redeem(await theirs.sign(world.claims({ aud: ISSUER })));
    await world.redeem(await theirs.sign(world.claims({ aud: [ISSUER, ISSUER] })));
    expect(world.broker.asked).toHaveLength(2);
  });

  test('hears what the broker throws, unchanged', async () => {
    const world = start();
    world.broker.failure = refusalWithDetail();
    const error = await refusal(world.redeem(await theirs.sign(world.claims())));
    expect(error).toBe(world.broker.failure);
    expect(world.log.audits()).toMatchObject([{ outcome: 'failed', code: 'exchange_denied', subject: BATCH }]);
  });

  test('is denied as soon as the policy takes it back, whatever its token says', async () => {
    const world = start();
    const token = await theirs.sign(world.claims());
    await world.redeem(token);
    world.policies = compile(policy('api', ['spiffe://example.org/api']));
    expect(await world.refused(token)).toBe('policy_denied');
    expect(world.log.audits().at(-1)).toMatchObject({ outcome: 'denied', subject: BATCH });
    expect(world.log.audits().at(-1)).not.toHaveProperty('component');
  });
});

describe('a token that proves nothing', () => {
  test.each<[string, Readonly<Record<string, unknown>>, ErrorCode]>([
    ['for another audience', { aud: ['sts.amazonaws.com'] }, 'token_audience_mismatch'],
    ['for others too', { aud: [ISSUER, 'sts.amazonaws.com'] }, 'token_audience_mismatch'],
    ['for others first', { aud: ['sts.amazonaws.com', ISSUER] }, 'token_audience_mismatch'],
    ['for the issuer with a slash', { aud: [`${ISSUER}/`] }, 'token_audience_mismatch'],
    ['for the endpoint', { aud: [`${ISSUER}/token`] }, 'token_audience_mismatch'],
    ['for the issuer in capitals', { aud: [ISSUER.toUpperCase()] }, 'token_audience_mismatch'],
    ['for the host of the issuer', { aud: ['https://oidc.example.org'] }, 'token_audience_mismatch'],
    ['for nobody', { aud: [] }, 'token_malformed'],
    ['without an audience', { aud: undefined }, 'token_malformed'],
    ['without an end', { exp: undefined }, 'token_malformed'],
    ['of nobody', { sub: undefined }, 'token_malformed'],
    ['of somebody else', { sub: 'batch' }, 'token_malformed'],
    ['of a trust domain that is not known', { sub: 'spiffe://other.example/batch' }, 'token_trust_domain_unknown'],
    ['of a trust domain in capitals', { sub: 'spiffe://PARTNER.example/batch' }, 'token_malformed'],
    ['of ours by a key of theirs', { sub: 'spiffe://example.org/api' }, 'token_signature_invalid'],
  ])('%s', async (_, changes, code) => {
    const world = start();
    expect(await world.refused(await theirs.sign(world.claims(changes)))).toBe(code);
  });

  test('by a key that nobody knows', async () => {
    const world = start();
    expect(await world.refused(await stray.sign(world.claims()))).toBe('token_signature_invalid');
    expect(await world.refused(await stray.sign(world.claims(), { kid: 'other' }))).toBe('token_key_unknown');
    expect(await world.refused(await ours.sign(world.claims()))).toBe('token_signature_invalid');
  });

  test('whose claims, header or signature were changed', async () => {
    const world = start();
    const [header = '', payload = '', signature = ''] = (await theirs.sign(world.claims())).split('.');
    const changed = Buffer.from(JSON.stringify(world.claims({ exp: world.now() + 9999 }))).toString('base64url');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    expect(await world.refused(`${header}.${changed}.${signature}`)).toBe('token_signature_invalid');
    expect(await world.refused(`${none}.${payload}.${signature}`)).toBe('token_malformed');
    expect(await world.refused(`${none}.${payload}.`)).toBe('token_malformed');
    expect(await world.refused(`${header}.${payload}.${signature}=`)).toBe('token_malformed');
    expect(await world.refused(` ${header}.${payload}.${signature}`)).toBe('token_malformed');
    expect(await world.refused(`Bearer ${header}.${payload}.${signature}`)).toBe('token_malformed');
  });

  test.each(['x', 'a.b.c', '{}', 'é', 'x'.repeat(MAX_TOKEN_LENGTH + 1)])('that is none: %.20j', async (token) => {
    expect(await start().refused(token)).toBe('token_malformed');
  });

  test('that has ended, or has not begun, by more than five seconds', async () => {
    const world = start();
    const ended = (seconds: number) => theirs.sign(world.claims({ exp: world.now() - seconds, iat: undefined }));
    await world.redeem(await ended(4));
    expect(await world.refused(await ended(5))).toBe('token_expired');
    await world.redeem(await theirs.sign(world.claims({ nbf: world.now() + 5 })));
    expect(await world.refused(await theirs.sign(world.claims({ nbf: world.now() + 6 })))).toBe('token_not_yet_valid');
    expect(await world.refused(await theirs.sign(world.claims({ iat: world.now() + 6 })))).toBe('token_not_yet_valid');
  });

  test('is named in the audit by its SHA-256, and by nothing that it says of itself', async () => {
    const world = start();
    const token = await stray.sign(world.claims());
    await world.refused(token);
    expect(world.log.audits()).toEqual([
      {
        action: 'credentials.redeem',
        outcome: 'failed',
        code: 'token_signature_invalid',
        grant: 'models',
        subjectTokenSha256: createHash('sha256').update(token).digest('hex'),
        durationMs: 0,
      },
    ]);
  });
});

describe('keys', () => {
  test('of which none is there yet are trouble that passes, not a bad token', async () => {
    const world = start();
    const token = await theirs.sign(world.claims());
    world.bundles.delete('example.org');
    expect(await world.refused(token)).toBe('bundle_unavailable');
  });

  test('of a trust domain that is no longer federated prove nothing', async () => {
    const world = start();
    const token = await theirs.sign(world.claims());
    world.bundles.delete('partner.example');
    expect(await world.refused(token)).toBe('token_trust_domain_unknown');
    // Whatever the set hands out: keys of one trust domain prove nothing of another.
    world.bundles.set('partner.example', bundleOf('example.org', theirs));
    expect(await world.refused(token)).toBe('token_trust_domain_unknown');
  });
});

describe('what is asked for', () => {
  test('in vain is scrubbed before it is logged or repeated', async () => {
    const world = start();
    const token = await theirs.sign(world.claims());
    const error = await refusal(world.redeem(token, token));
    expect(error.code).toBe('policy_denied');
    expect(error.message).not.toContain('eyJ');
    expect(world.log.lines.join()).not.toContain('eyJ');
    expect(await world.refused(token, 'books')).toBe('policy_denied');
  });

  test('as another kind of token than the grant gives is refused before anything is asked upstream', async () => {
    const world = start();
    const subjectToken = await theirs.sign(world.claims());
    const error = await refusal(world.redeemer.redeem({ subjectToken, grant: 'models', shapes: ['azure', 'gcp'] }));
    expect(error.code).toBe('request_invalid');
    expect(world.broker.asked).toEqual([]);
    await world.redeemer.redeem({ subjectToken, grant: 'models', shapes: ['aws'] });
    expect(world.broker.asked).toHaveLength(1);
    // An access token with its key is none of those that go into a header.
    const oauth = { issuer: 'https://as.example.org', dpop: true };
    const document = { ...JSON.parse(policy('api', [BATCH])), grants: { payments: { oauth } } };
    world.policies = compile(JSON.stringify(document));
    const bound = { subjectToken, grant: 'payments' };
    const bearer = await refusal(world.redeemer.redeem({ ...bound, shapes: ['azure', 'gcp', 'oauth'] }));
    expect(bearer.code).toBe('request_invalid');
    await world.redeemer.redeem({ ...bound, shapes: ['oauth-bound'] });
    expect(world.broker.asked).toHaveLength(2);
    // Of what it may not have, nobody learns of what kind it is.
    const other = await refusal(world.redeemer.redeem({ subjectToken, grant: 'books', shapes: ['vault'] }));
    expect(other.code).toBe('policy_denied');
  });
});
