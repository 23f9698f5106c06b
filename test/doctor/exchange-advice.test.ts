import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/base/errors.ts';
import type { Config } from '../../src/config/config.ts';
import { GRANT_KINDS, type Grant, grantSchema } from '../../src/credentials/grant.ts';
import { adviseOnExchange } from '../../src/doctor/exchange-advice.ts';
import { compile } from '../support/policies.ts';
import { startWorld } from '../support/world.ts';

const CODES = [
  'exchange_denied',
  'exchange_token_rejected',
  'exchange_request_rejected',
  'exchange_throttled',
  'exchange_unavailable',
  'exchange_response_invalid',
] as const satisfies readonly ErrorCode[];

const ROLE = 'arn:aws-cn:iam::111122223333:role/models';
const SECOND = 'arn:aws-cn:iam::444455556666:role/second';
const CLIENT = '11111111-2222-3333-4444-555555555555';
const PROVIDER = 'projects/123/locations/global/workloadIdentityPools/pool/providers/spire';

const DOCUMENTS: Readonly<Record<Grant['kind'], object>> = {
  aws: { aws: { roleArn: ROLE, region: 'cn-north-1', assumeRole: { roleArn: SECOND } } },
  azure: { azure: { tenantId: 'example.org', clientId: CLIENT, scope: 'https://storage.azure.com/.default' } },
  gcp: { gcp: { provider: PROVIDER, serviceAccount: 'a@p.iam.gserviceaccount.com' } },
  vault: { vault: { address: 'https://vault.example.org', role: 'api', mount: 'workloads' } },
  oauth: { oauth: { issuer: 'https://login.example.org' } },
};

const [policy] = compile(
  'component: api\nspiffeId: spiffe://example.org/team/api\nselectors: [a:b]\naudiences: [x]\n',
).components;

async function context(): Promise<{ policy: NonNullable<typeof policy>; config: Config }> {
  const { config } = await startWorld();
  if (policy === undefined) throw new Error('no policy');
  return { policy, config };
}

describe('what to do about an exchange that failed', () => {
  /** What whoever mends it must type in over there, byte by byte. */
  test.each<[Grant['kind'], ErrorCode, string[]]>([
    ['aws', 'exchange_denied', [ROLE, 'arn:aws-cn:iam::111122223333:oidc-provider/', `${SECOND} sts:AssumeRole`]],
    ['aws', 'exchange_token_rejected', ['sts.amazonaws.com']],
    ['azure', 'exchange_denied', [CLIENT, 'api://AzureADTokenExchange', 'RS256']],
    ['azure', 'exchange_request_rejected', [CLIENT, 'https://storage.azure.com/.default']],
    ['gcp', 'exchange_denied', ['a@p.iam.gserviceaccount.com', 'roles/iam.workloadIdentityUser']],
    ['gcp', 'exchange_token_rejected', [`https://iam.googleapis.com/${PROVIDER}`, '127 bytes']],
    ['vault', 'exchange_token_rejected', ['auth/workloads/config', 'bound_audiences: https://vault.example.org']],
    ['vault', 'exchange_response_invalid', ['more than once']],
    ['oauth', 'exchange_token_rejected', ['https://login.example.org']],
    ['oauth', 'exchange_request_rejected', ['token-exchange']],
  ])('%s, %s: in the words of the target', async (kind, code, parts) => {
    const advice = adviseOnExchange(code, grantSchema.parse(DOCUMENTS[kind]), await context());
    for (const part of parts) expect(advice).toContain(part);
  });

  test('names the issuer and the subject wherever a target does not take the identity', async () => {
    const known = await context();
    const issuer = known.config.issuer.url.replace('http://', '');
    for (const kind of GRANT_KINDS) {
      const grant = grantSchema.parse(DOCUMENTS[kind]);
      const advice = ['exchange_denied', 'exchange_token_rejected'] as const;
      const both = advice.map((code) => adviseOnExchange(code, grant, known)).join('\n');
      expect(both, kind).toContain(issuer);
      expect(both, kind).toContain('spiffe://example.org/team/api');
    }
  });

  test('is another one for each kind of target, whatever the code, but for throttling', async () => {
    const known = await context();
    for (const code of CODES) {
      const advice = GRANT_KINDS.map((kind) => adviseOnExchange(code, grantSchema.parse(DOCUMENTS[kind]), known));
      expect(new Set(advice).size, code).toBe(code === 'exchange_throttled' ? 1 : GRANT_KINDS.length);
      expect(advice.join('\n')).not.toContain('undefined');
    }
  });
});
