import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { credentialsXml, refusalXml, STS_CREDENTIALS, startScriptedSts } from '../fakes/scripted-sts.ts';
import { type Chain, check, expectDiagnosis, startChain } from '../support/doctor.ts';
import { rolesFor, startLocalSts } from '../support/local-sts.ts';
import { expectNoSecrets } from '../support/secrets.ts';
import { staleSocket, talkingSocket } from '../support/sockets.ts';
import { API_POLICY } from '../support/world.ts';

describe('when everything is good', () => {
  test.each(['ec-p256', 'ec-p384', 'rsa-2048'] as const)(
    'with keys of the type %s, every step says so',
    async (keyType) => {
      const chain = await startChain({ keyType });
      const checks = await chain.examine({ component: 'api' });
      expect(checks.filter(({ status, advice }) => status !== 'ok' || advice !== undefined)).toEqual([]);
      expect(checks.map(({ name }) => name)).toEqual([
        'configuration',
        'policies',
        'component',
        'admin-socket',
        'delegate',
        'bundle',
        'entry/api',
        'issuer-claim',
        'signature',
        'key-type',
        'subjects',
        'audiences',
        'private-socket',
        'issuer-address',
        'issuer-certificate',
        'issuer-discovery',
        'issuer-keys',
        'signing-key',
        'published-keys',
        'clocks',
        'exchange',
      ]);
      expect(check(checks, 'exchange').saw).toMatch(
        /^credentials for arn:aws:iam::111122223333:role\/models until \d{4}-.*Z$/,
      );
    },
  );

  test('every component is asked for, and nothing is exchanged', async () => {
    const chain = await startChain();
    const names = (await chain.examine()).map(({ name }) => name);
    expect(names).toContain('entry/ledger');
    expect(names).not.toContain('component');
    expect(names).not.toContain('exchange');
  });

  test('a component without grants is walked to its token', async () => {
    const chain = await startChain();
    const checks = await chain.examine({ component: 'ledger' });
    expect(checks.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(check(checks, 'component').saw).toBe('ledger has no grant, so nothing is exchanged');
    expect(checks.at(-1)?.name).toBe('clocks');
  });
});

describe('what the user wrote', () => {
  test('a configuration that is not there, or wrong: nothing else can be looked at', async () => {
    const chain = await startChain();
    await rm(chain.configFile);
    const missing = await chain.examine();
    expectDiagnosis(missing, {
      step: 'configuration',
      code: 'config_invalid',
      saw: /svidx\.yaml: cannot be read \(ENOENT\)$/,
      advice: /Correct the file/,
    });
    expect(new Set(missing.slice(1).map(({ status }) => status))).toEqual(new Set(['skip']));

    await writeFile(chain.configFile, 'trustDomain: example.org\nissuer: http://example.org\nevil: 1\n');
    expect((await chain.examine())[0]).toMatchObject({
      code: 'config_invalid',
      saw: expect.stringMatching(/:2: issuer: expected an https URL; .*evil: unknown key/),
    });
  });

  test('policies that are wrong', async () => {
    const chain = await startChain();
    await chain.writePolicy('api.yaml', API_POLICY.replace('us-east-1', 'moon'));
    const checks = await chain.examine();
    expectDiagnosis(checks, {
      step: 'policies',
      code: 'policy_invalid',
      saw: /api\.yaml:\d+: grants\.models\.aws\.region: expected an AWS region/,
      advice: /Correct the policies/,
    });
    // SPIRE itself can still be looked at.
    expect(check(checks, 'bundle').status).toBe('ok');
    expect(check(checks, 'entry').saw).toBe('not looked at, since policies failed');
  });

  test.each([
    ['a component that no policy names', { component: 'nobody' }, /no policy names/, /there are api, ledger\.$/],
    ['a grant that it does not have', { component: 'api', grant: 'x' }, /no grant x$/, /it has models\.$/],
    ['a grant of one without', { component: 'ledger', grant: 'x' }, /no grant x$/, /it has none\.$/],
  ])('%s', async (_, question, saw, advice) => {
    const chain = await startChain();
    const checks = await chain.examine(question);
    expectDiagnosis(checks, { step: 'component', code: 'usage_invalid', saw, advice });
    expect(check(checks, 'exchange').saw).toBe('not looked at, since component failed');
  });

  test('one of several grants, which must be named', async () => {
    const chain = await startChain();
    const second = '  second: { aws: { roleArn: arn:aws:iam::111122223333:role/models, region: eu-west-1 } }\n';
    await chain.writePolicy('api.yaml', `${API_POLICY}${second}`);
    expectDiagnosis(await chain.examine({ component: 'api' }), {
      step: 'component',
      code: 'usage_invalid',
      saw: /has 2 grants$/,
      advice: /choose one of models, second\.$/,
    });
    const chosen = await chain.examine({ component: 'api', grant: 'models' });
    expect(check(chosen, 'exchange').status).toBe('ok');
  });

  test('a SPIFFE ID that is too long for AWS', async () => {
    const chain = await startChain();
    const long = `spiffe://example.org/${'x'.repeat(235)}`;
    await chain.writePolicy('api.yaml', API_POLICY.replace('spiffe://example.org/team/api', long));
    await chain.register();
    expectDiagnosis(await chain.examine(), {
      step: 'subjects',
      saw: /^the SPIFFE ID of api has 256 characters, and AWS documents at most 255$/,
      advice: /shorter path/,
    });
    await chain.writePolicy('api.yaml', API_POLICY.replace('spiffe://example.org/team/api', long.slice(0, -1)));
    await chain.register();
    expect(check(await chain.examine(), 'subjects').status).toBe('ok');
  });

  test.each([
    ["sts.amazonaws.com, 'other.example.org '", /of api begins or ends with white space: "other\.example\.org "$/],
    ["sts.amazonaws.com, ' '", /white space: " "$/],
  ])('an audience with white space around it: %s', async (audiences, saw) => {
    const chain = await startChain();
    await chain.writePolicy('api.yaml', API_POLICY.replace(/audiences: .*/, `audiences: [${audiences}]`));
    expectDiagnosis(await chain.examine(), { step: 'audiences', saw, advice: /byte by byte/ });
  });
});

describe('the private socket', () => {
  test.each<[string, (chain: Chain) => Promise<string>, RegExp, RegExp]>([
    [
      'that is not there',
      async ({ folder }) => join(folder, 'none.sock'),
      /^no service runs at .*none\.sock \(ENOENT\)$/,
      /svidx serve -c FILE, or svidx host -c FILE\./,
    ],
    ['that is a file', async ({ configFile }) => configFile, /is not a socket$/, /change broker\.socket/],
    ['of a service that was killed', () => privateOne(staleSocket()), /no service runs .*ECONNREFUSED/, /svidx serve/],
    [
      'that others may open',
      async ({ config }) => {
        await chmod(config.brokerSocket, 0o660);
        return config.brokerSocket;
      },
      /has the mode 0660: who may open it/,
      /\n {4}chmod 0600 \/.*broker\.sock$/,
    ],
    [
      'that something else serves',
      () => privateOne(talkingSocket((socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}'))),
      /no service answers .*\(something else answers\)$/,
      /what listens there/,
    ],
    ['that is silent', () => privateOne(talkingSocket()), /\(no answer in time\)$/, /restart it/],
  ])('%s', async (_, brokerSocket, saw, advice) => {
    const chain = await startChain();
    await chain.configure({ brokerSocket: await brokerSocket(chain) });
    expectDiagnosis(await chain.examine({}, { limitMs: 1_000 }), {
      step: 'private-socket',
      code: 'service_unreachable',
      saw,
      advice,
    });
  });

  async function privateOne(socket: Promise<string>): Promise<string> {
    await chmod(await socket, 0o600);
    return socket;
  }
});

describe('the exchange', () => {
  test('that the trust policy refuses: the one that it needs', async () => {
    const chain = await startChain();
    const { url } = chain.issuer.issuer;
    const roles = await rolesFor(url, API_POLICY.replace('team/api', 'team/other'));
    await chain.configure({ stsEndpoint: (await startLocalSts({ issuer: url, roles })).url });
    expectDiagnosis(await chain.examine({ component: 'api' }), {
      step: 'exchange',
      code: 'exchange_denied',
      saw: /AccessDenied|Not authorized/,
      advice:
        /arn:aws:iam::111122223333:oidc-provider\/127\.0\.0\.1:\d+\n.*\n.*"127\.0\.0\.1:\d+:sub": "spiffe:\/\/example\.org\/team\/api", .*:aud": "sts\.amazonaws\.com"/,
    });
  });

  test('of a token whose issuer the account does not know: the provider that it needs', async () => {
    const chain = await startChain();
    const sts = await startLocalSts({ issuer: 'https://oidc.example.com' });
    await chain.configure({ stsEndpoint: sts.url });
    expectDiagnosis(await chain.examine({ component: 'api' }), {
      step: 'exchange',
      code: 'exchange_token_rejected',
      saw: /No OpenIDConnect provider found/,
      advice: /\n {4}arn:aws:iam::111122223333:oidc-provider\/127\.0\.0\.1:\d+\n {4}sts\.amazonaws\.com\n/,
    });
  });

  test.each([
    ['ValidationError', 400, 'exchange_request_rejected', /900 s at most the role's maximum.*us-east-1/],
    ['RegionDisabledException', 403, 'exchange_request_rejected', /us-east-1 enabled/],
  ])('that STS refuses with %s', async (wire, httpStatus, code, advice) => {
    const chain = await startChain();
    const sts = await startScriptedSts();
    await chain.configure({ stsEndpoint: sts.url });
    sts.onRequest = (request) => ({ status: httpStatus, body: refusalXml(wire, `about ${request.body}`) });
    expectDiagnosis(await chain.examine({ component: 'api' }), {
      step: 'exchange',
      code,
      saw: wire.slice(0, 10),
      advice,
    });
  });

  test('shows nothing of the credentials', async () => {
    const chain = await startChain();
    const sts = await startScriptedSts();
    await chain.configure({ stsEndpoint: sts.url });
    sts.onRequest = () => ({ status: 200, body: credentialsXml() });
    const checks = await chain.examine({ component: 'api' });
    expect(check(checks, 'exchange').saw).toContain(STS_CREDENTIALS.Expiration.slice(0, 10));
    const { Expiration: _, ...secret } = STS_CREDENTIALS;
    expectNoSecrets(JSON.stringify(checks), Object.values(secret));
    expect(chain.tokens.length).toBeGreaterThan(0);
  });

  test('is not tried without a token', async () => {
    const chain = await startChain();
    chain.spire.entries = [];
    const sts = await startScriptedSts();
    await chain.configure({ stsEndpoint: sts.url });
    expect(check(await chain.examine({ component: 'api' }), 'exchange').saw).toBe(
      'not looked at, since entry/api failed',
    );
    expect(sts.requests.all).toEqual([]);
  });
});
