import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { parseIssuer } from '../../src/config/issuer.ts';
import type { AwsCredentials } from '../../src/credentials/credentials.ts';
import { type DevTrustDomainOptions, startDevTrustDomain } from '../../src/dev/dev-trust-domain.ts';
import { entriesForPolicies } from '../../src/dev/registration-entries.ts';
import { createAwsExchanger } from '../../src/exchange/aws.ts';
import { compilePolicies } from '../../src/policy/policy-set.ts';
import { parseJwtSvidUnverified } from '../../src/spiffe/jwt-svid.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { startOidcIssuer } from '../fakes/oidc-issuer.ts';
import { asAws } from '../support/credentials.ts';
import { unaborted } from '../support/delegated-identity.ts';
import { refusal } from '../support/errors.ts';
import { MODELS_GRANT } from '../support/exchange.ts';
import { ask } from '../support/http.ts';
import { POLICY, ROLE_ARN } from '../support/local-sts.ts';
import { createRawDelegate } from '../support/raw-delegate.ts';
import { amzDate, authorizationOf } from '../support/sigv4.ts';
import { tempFolder } from '../support/temp.ts';
import { startWorld, type World } from '../support/world.ts';

async function optionsFor(issuerUrl: string): Promise<DevTrustDomainOptions> {
  const trustDomain = TrustDomain.parse('example.org');
  const policies = compilePolicies([{ file: 'api.yaml', text: POLICY }], trustDomain);
  const issuer = parseIssuer(issuerUrl);
  if ('problem' in issuer) throw new Error(issuer.problem);
  return {
    clock: systemClock,
    logger: createMemoryLog().logger,
    folder: await tempFolder(),
    trustDomain,
    issuer,
    keyType: 'ec-p256',
    keyTtlMs: 3_600_000,
    entries: () => entriesForPolicies(policies),
    policies: () => policies,
  };
}

describe('the embedded trust domain', () => {
  test('listens on loopback and in its own folder, and takes both away when it closes', async () => {
    const options = await optionsFor('http://127.0.0.1:1');
    const trust = await startDevTrustDomain(options);
    for (const url of [trust.stsUrl, trust.modelUrl]) expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(trust.spireSocket).toBe(join(options.folder, 'spire-admin.sock'));
    const delegate = createRawDelegate(trust.spireSocket);
    const selectors = [{ type: 'wasmcloud', value: 'component:api' }];
    expect(await delegate.fetch({ audience: ['a'], selectors })).toHaveProperty('svids.0.token');
    await trust.close();
    await expect(stat(options.folder)).rejects.toMatchObject({ code: 'ENOENT' });
    for (const url of [trust.stsUrl, trust.modelUrl]) {
      await expect(ask(url, { path: '/' })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    }
    expect(await delegate.fetch({ audience: ['a'], selectors })).toHaveProperty('code');
  });

  test.each(['http://127.0.0.1:8080', 'http://localhost:8080', 'http://[::1]:8080', 'https://127.0.0.2/path'])(
    'works for the issuer %s',
    async (url) => {
      const trust = await startDevTrustDomain(await optionsFor(url));
      onTestFinished(trust.close);
      expect(trust.stsUrl).not.toBe('');
    },
  );

  test.each([
    'https://oidc.example.org',
    'https://127.0.0.1.example.org',
    'https://localhost.example.org',
    'https://10.0.0.1',
  ])('refuses the issuer %s, for whoever opens its socket has its signature', async (url) => {
    const options = await optionsFor(url);
    expect(await refusal(startDevTrustDomain(options))).toMatchObject({
      code: 'usage_invalid',
      message: 'the embedded trust domain is for development only: its issuer must be on loopback',
    });
  });

  test('issues to the components of the policies and to nobody else', async () => {
    const world = await startWorld();
    const delegate = createRawDelegate(world.trust.spireSocket);
    const idsFor = async (value: string): Promise<unknown> => {
      const outcome = await delegate.fetch({ audience: ['a'], selectors: [{ type: 'wasmcloud', value }] });
      return 'svids' in outcome ? outcome.svids.map(({ id }) => id.path) : outcome.details;
    };
    expect(await idsFor('component:api')).toEqual(['/team/api']);
    expect(await idsFor('component:ledger')).toEqual(['/team/ledger']);
    expect(await idsFor('component:nobody')).toBe('no identity issued');
  });

  test('follows the policies: a component that is added has an identity, and its role takes it', async () => {
    const issuer = await startOidcIssuer([]);
    const options = await optionsFor(issuer.url);
    let policies = options.policies();
    const trust = await startDevTrustDomain({
      ...options,
      policies: () => policies,
      entries: () => entriesForPolicies(policies),
    });
    onTestFinished(trust.close);
    issuer.answers['/keys'] = trust.authority.jwkSet();
    const delegate = createRawDelegate(trust.spireSocket);
    const ask = { audience: ['new.example.org'], selectors: [{ type: 'wasmcloud', value: 'component:added' }] };
    expect(await delegate.fetch(ask)).toMatchObject({ details: 'no identity issued' });

    const { files, grant } = withAddedComponent();
    policies = compilePolicies(files, options.trustDomain);
    const answer = await delegate.fetch(ask);
    const [svid] = 'svids' in answer ? answer.svids : [];
    const exchanger = createAwsExchanger({ clock: systemClock, random: () => 0.5, endpoint: trust.stsUrl });
    const exchange = exchanger.exchange(parseJwtSvidUnverified(svid?.token ?? ''), grant, { signal: unaborted() });
    expect(await exchange).toMatchObject({ kind: 'aws' });
  });

  test('a key that is rotated in by force is published before tokens of it reach anybody', async () => {
    const world = await startWorld();
    await world.trust.authority.rotate();
    const svid = await world.service.broker.identity({ component: 'api' }, ['other.example.org']);
    expect(JSON.parse(world.trust.authority.jwkSet()).keys.map(({ kid }: { kid: string }) => kid)).toContain(
      svid.keyId,
    );
  });
});

describe('the local model endpoint', () => {
  test('takes the credentials that a grant gives, in the region of the grant', async () => {
    const world = await startWorld();
    expect(await invoke(world, 'models')).toEqual([200, expect.stringContaining(':assumed-role/models/team=api@')]);
    expect(await invoke(world, 'models', { region: 'eu-west-1' })).toEqual([403, 'InvalidSignatureException']);
  });

  test('takes the second role of a chain, and not the first, which may only assume the second', async () => {
    const first = { roleArn: 'arn:aws:iam::111122223333:role/models', region: 'us-east-1' };
    const chained = { ...first, assumeRole: { roleArn: 'arn:aws:iam::444455556666:role/reader' } };
    const base = { spiffeId: 'spiffe://example.org/team/api', selectors: ['wasmcloud:component:api'] };
    const grants = { chained: { aws: chained } };
    const world = await startWorld({ policies: { 'api.yaml': JSON.stringify({ component: 'api', ...base, grants }) } });
    expect(await invoke(world, 'chained')).toEqual([200, expect.stringContaining(':assumed-role/reader/')]);
    const answer = await invokeWith(world, await firstOfChain(world));
    expect(answer).toEqual([403, 'AccessDeniedException']);
  });
});

const INVOKE_PATH = '/model/a.b/invoke';

/** Invokes a model with the credentials of a grant of `api`. */
async function invoke(world: World, grant: string, { region = 'us-east-1' } = {}): Promise<[number, string]> {
  return invokeWith(world, asAws(await world.service.broker.credentials({ component: 'api' }, grant)), region);
}

/** The status, and the story or the code of the refusal. */
async function invokeWith(world: World, credentials: AwsCredentials, region = 'us-east-1'): Promise<[number, string]> {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const body = JSON.stringify({ max_tokens: 9, messages: [{ role: 'user', content: 'rain' }] });
  const headers = {
    host: new URL(world.trust.modelUrl).host,
    'x-amz-date': amzDate(Date.now()),
    'x-amz-security-token': sessionToken.reveal(),
  };
  const key = { accessKeyId, secretAccessKey: secretAccessKey.reveal(), region, service: 'bedrock' };
  const authorization = authorizationOf({ method: 'POST', path: INVOKE_PATH, headers, body }, key);
  const request = { method: 'POST', path: INVOKE_PATH, headers: { ...headers, authorization }, body };
  const answer = await ask(world.trust.modelUrl, request);
  if (answer.status !== 200) return [answer.status, String(answer.headers['x-amzn-errortype'])];
  return [200, JSON.parse(answer.text).content[0].text];
}

/** The credentials that only the exchanger ever sees. */
async function firstOfChain(world: World): Promise<AwsCredentials> {
  const delegate = createRawDelegate(world.trust.spireSocket);
  const selectors = [{ type: 'wasmcloud', value: 'component:api' }];
  const answer = await delegate.fetch({ audience: ['sts.amazonaws.com'], selectors });
  const [issued] = 'svids' in answer ? answer.svids : [];
  const exchanger = createAwsExchanger({ clock: systemClock, random: () => 0.5, endpoint: world.trust.stsUrl });
  return exchanger.exchange(parseJwtSvidUnverified(issued?.token ?? ''), MODELS_GRANT, { signal: unaborted() });
}

/** The policies with one more component, whose role and audience nothing else has. */
function withAddedComponent() {
  const text = POLICY.replaceAll('api', 'added')
    .replace(ROLE_ARN, 'arn:aws:iam::111122223333:role/new')
    .replace('2h }', '2h }, audience: new.example.org');
  return {
    files: [
      { file: 'api.yaml', text: POLICY },
      { file: 'added.yaml', text },
    ],
    grant: { ...MODELS_GRANT, roleArn: 'arn:aws:iam::111122223333:role/new' },
  };
}
