import { describe, expect, test } from 'vitest';
import type { GcpGrant } from '../../src/credentials/grants/gcp.ts';
import { createGcpExchanger } from '../../src/exchange/gcp.ts';
import { type GoogleOptions, startGoogle } from '../fakes/google-sts.ts';
import { impatientClock } from '../fakes/impatient-clock.ts';
import { FEDERATED_GRANT, IMPERSONATING_GRANT, PROVIDER, SERVICE_ACCOUNT } from '../support/cloud-grants.ts';
import { unaborted } from '../support/delegated-identity.ts';
import { refusal } from '../support/errors.ts';
import { type Federation, SUBJECT, startFederation } from '../support/federation.ts';
import { makeKey } from '../support/jwk.ts';
import { errorText, expectNoSecrets } from '../support/secrets.ts';

interface Scenario {
  readonly mint?: Parameters<Federation['mint']>[1];
  readonly audience?: string;
  readonly grant?: GcpGrant;
  readonly google?: (federation: Federation) => Partial<GoogleOptions>;
  readonly alg?: 'RS256' | 'ES256' | 'ES384';
}

async function exchange({ mint, audience, grant = FEDERATED_GRANT, google: changes = () => ({}), alg }: Scenario) {
  const federation = await startFederation(alg ?? 'ES256');
  const google = await startGoogle({
    providers: [{ name: PROVIDER, issuer: federation.issuer }],
    serviceAccounts: { [SERVICE_ACCOUNT]: [SUBJECT] },
    ...changes(federation),
  });
  const clock = impatientClock();
  const svid = await federation.mint(audience ?? grant.audience, mint);
  const options = { clock, random: () => 0.5, stsEndpoint: google.url, iamEndpoint: google.url };
  const running = createGcpExchanger(options).exchange(svid, grant, { signal: unaborted() });
  return { running, google, clock, token: svid.token.reveal() };
}

const now = Math.floor(Date.now() / 1000);
const stranger = await makeKey('ES256', 'published');

describe("against a server that checks tokens as Google's do", () => {
  test.each(['RS256', 'ES256'] as const)(
    'a JWT-SVID of the provider is exchanged for a token of the identity: %s',
    async (alg) => {
      const { running, google } = await exchange({ alg });
      const credentials = await running;
      expect(google.issued.get(credentials.token.reveal())).toBe(SUBJECT);
      const life = credentials.expiresAt - Date.now();
      expect(life).toBeGreaterThan(3_590_000);
      expect(life).toBeLessThanOrEqual(3_599_000);
    },
  );

  test('and for a token of the service account that it may impersonate', async () => {
    const { running, google } = await exchange({ grant: IMPERSONATING_GRANT });
    const credentials = await running;
    expect(google.issued.get(credentials.token.reveal())).toBe(SERVICE_ACCOUNT);
    expect(credentials.expiresAt - Date.now()).toBeLessThanOrEqual(1_800_000);
    expect(credentials.expiresAt - Date.now()).toBeGreaterThan(1_790_000);
  });

  test.each([
    ['the name of the provider without https:', `//iam.googleapis.com/${PROVIDER}`, undefined],
    ['one that the provider allows', 'components', ['components']],
  ])('with another audience: %s', async (_, audience, allowedAudiences) => {
    const { running, google } = await exchange({
      audience,
      google: ({ issuer }) => ({
        providers: [{ name: PROVIDER, issuer, ...(allowedAudiences && { allowedAudiences }) }],
      }),
    });
    expect(google.issued.get((await running).token.reveal())).toBe(SUBJECT);
  });

  test.each<[string, Scenario, string, string]>([
    ['another audience', { audience: 'sts.amazonaws.com' }, 'exchange_token_rejected', 'invalid_grant: The audience'],
    [
      'another issuer',
      { mint: { claims: { iss: 'https://stranger.example.org' } } },
      'exchange_token_rejected',
      'invalid_grant: The issuer',
    ],
    [
      'an expired token',
      { mint: { claims: { iat: now - 900, exp: now - 600 } } },
      'exchange_token_rejected',
      'invalid_grant: The ID Token cannot be verified: expired',
    ],
    [
      'a token of the future',
      { mint: { claims: { iat: now + 600, exp: now + 900 } } },
      'exchange_token_rejected',
      'not yet valid',
    ],
    ['the signature of a stranger', { mint: { key: stranger } }, 'exchange_token_rejected', 'signature'],
    ['a signature of another kind', { alg: 'ES384' }, 'exchange_token_rejected', 'invalid_grant'],
    [
      'a SPIFFE ID of 128 bytes',
      { mint: { claims: { sub: `spiffe://example.org/${'x'.repeat(107)}` } } },
      'exchange_token_rejected',
      'google.subject exceeds 127 bytes',
    ],
    [
      'an identity that the attribute condition does not admit',
      {
        google: ({ issuer }) => ({
          providers: [{ name: PROVIDER, issuer, condition: (subject) => subject.endsWith('/ledger') }],
        }),
      },
      'exchange_denied',
      'unauthorized_client',
    ],
    [
      'a provider that does not exist',
      { grant: { ...FEDERATED_GRANT, provider: PROVIDER.replace('spire', 'nobody') } },
      'exchange_request_rejected',
      'invalid_target',
    ],
    [
      'an identity that may not impersonate',
      { grant: IMPERSONATING_GRANT, google: () => ({ serviceAccounts: { [SERVICE_ACCOUNT]: [] } }) },
      'exchange_denied',
      'PERMISSION_DENIED',
    ],
    [
      'a service account that does not exist',
      { grant: IMPERSONATING_GRANT, google: () => ({ serviceAccounts: {} }) },
      'exchange_request_rejected',
      'NOT_FOUND',
    ],
    [
      'a lifetime that the organization does not allow',
      { grant: { ...IMPERSONATING_GRANT, lifetimeSeconds: 3601 } },
      'exchange_request_rejected',
      'INVALID_ARGUMENT',
    ],
  ])('%s is refused, and Google is not asked again', async (_, scenario, code, detail) => {
    const { running, google, clock, token } = await exchange(scenario);
    const error = await refusal(running);
    expect(error.code).toBe(code);
    expect(error.detail).toContain(detail);
    expect(clock.waits).toEqual([]);
    expectNoSecrets(errorText(error), [token, ...google.issued.keys()]);
  });

  test('but a SPIFFE ID of 127 bytes is taken', async () => {
    const sub = `spiffe://example.org/${'x'.repeat(106)}`;
    const { running, google } = await exchange({ mint: { claims: { sub } } });
    expect(google.issued.get((await running).token.reveal())).toBe(sub);
  });
});
