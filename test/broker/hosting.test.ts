import { describe, expect, test } from 'vitest';
import { createHosting } from '../../src/broker/hosting.ts';
import type { PolicySet } from '../../src/policy/policy-set.ts';
import { createFakeClock } from '../fakes/clock.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { refusal, refusalCode } from '../support/errors.ts';
import { compile, FULL_POLICY, HOSTING_KEYS } from '../support/policies.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;
const API = { component: 'api', digest: DIGEST };
const BARE = 'component: bare\nspiffeId: spiffe://example.org/bare\nselectors: [a:b]\nwasi: [stdio]\n';
const AWS = 'aws: { roleArn: arn:aws:iam::111122223333:role/r, region: eu-west-1 }';
const GCP =
  'gcp: { provider: projects/123456789012/locations/global/workloadIdentityPools/components/providers/spire }';

function open(...documents: string[]) {
  let set: PolicySet = compile(...documents);
  const log = createMemoryLog();
  const hosting = createHosting({ policies: () => set, clock: createFakeClock(), logger: log.logger });
  const setPolicies = (...others: string[]): void => {
    set = compile(...others);
  };
  return { hosting, log, setPolicies };
}

describe('the rights of a component', () => {
  test('are those that its policy has', async () => {
    const { hosting, log } = open(FULL_POLICY + HOSTING_KEYS);
    expect(await hosting.rights(API)).toEqual({
      identity: true,
      credentials: true,
      wasi: new Set(['clocks', 'random', 'stdio']),
      config: new Map([['GREETING', 'hello']]),
      egress: [
        { scheme: 'https', host: 'api.example.org', port: 8443, path: '/v1/', addresses: [] },
        {
          scheme: 'http',
          host: 'local.example.org',
          port: 9000,
          path: '/',
          addresses: [
            { address: '127.0.0.0', prefix: 8, family: 'ipv4' },
            { address: '::1', prefix: 128, family: 'ipv6' },
          ],
        },
      ],
      injections: [],
    });
    expect(log.lines).toEqual([]);
  });

  test('are nothing but what is written', async () => {
    expect(await open(BARE).hosting.rights({ component: 'bare' })).toEqual({
      identity: false,
      credentials: false,
      wasi: new Set(['stdio']),
      config: new Map(),
      egress: [],
      injections: [],
    });
  });

  test('have where credentials are injected, with the region to sign for; that alone is no right to hold any', async () => {
    const grants = `grants:
  models: { ${AWS}, inject: { host: a.example, service: bedrock } }
  blobs: { ${GCP}, inject: { host: 127.0.0.1, port: 9000, scheme: http } }
`;
    const { hosting, setPolicies } = open(BARE + grants);
    expect(await hosting.rights({ component: 'bare' })).toMatchObject({
      credentials: false,
      injections: [
        {
          grant: 'models',
          injection: { scheme: 'https', host: 'a.example', port: 443, service: 'bedrock' },
          region: 'eu-west-1',
        },
        { grant: 'blobs', injection: { scheme: 'http', host: '127.0.0.1', port: 9000 }, region: undefined },
      ],
      egress: [
        { scheme: 'https', host: 'a.example', port: 443, path: '/', addresses: [] },
        {
          scheme: 'http',
          host: '127.0.0.1',
          port: 9000,
          path: '/',
          addresses: [{ address: '127.0.0.1', prefix: 32, family: 'ipv4' }],
        },
      ],
    });
    setPolicies(`${BARE}${grants}  held: { ${AWS} }\n`);
    expect(await hosting.rights({ component: 'bare' })).toMatchObject({ credentials: true });
  });

  test('are a value of whoever asked: changing it changes no policy', async () => {
    const { hosting } = open(FULL_POLICY + HOSTING_KEYS);
    const { wasi, config } = await hosting.rights(API);
    if (wasi instanceof Set && config instanceof Map) {
      wasi.clear();
      config.set('GREETING', 'changed');
    }
    const again = await hosting.rights(API);
    expect([again.wasi.size, again.config.get('GREETING')]).toEqual([3, 'hello']);
  });

  test('follow the policy at once', async () => {
    const { hosting, setPolicies } = open(BARE);
    setPolicies(BARE.replace('stdio', 'clocks'));
    expect((await hosting.rights({ component: 'bare' })).wasi).toEqual(new Set(['clocks']));
    setPolicies();
    expect(await refusalCode(hosting.rights({ component: 'bare' }))).toBe('policy_denied');
  });

  test.each([
    ['a component without a policy', { component: 'nobody', digest: DIGEST }, 'no policy names it'],
    [
      'other bytes',
      { component: 'api', digest: `sha256:${'0'.repeat(64)}` },
      `its bytes are not the ones its policy allows: they are sha256:${'0'.repeat(64)}`,
    ],
    [
      'bytes that nobody names',
      { component: 'api' },
      'its policy wants the digest of its bytes, and nobody has said it',
    ],
  ])('are none for %s, and that is audited', async (_, caller, reason) => {
    const { hosting, log } = open(FULL_POLICY);
    expect(await refusal(hosting.rights(caller))).toMatchObject({
      code: 'policy_denied',
      message: `component "${caller.component}": ${reason}`,
    });
    expect(log.audits()).toEqual([
      expect.objectContaining({ action: 'component.rights', outcome: 'denied', component: caller.component }),
    ]);
  });

  test('are not asked for with a digest that is none', async () => {
    const { hosting } = open(FULL_POLICY, BARE);
    expect(await refusalCode(hosting.rights({ component: 'bare', digest: 'x' }))).toBe('request_invalid');
  });
});
