import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode, SvidxError } from '../../../src/base/errors.ts';
import type { Broker } from '../../../src/broker/broker.ts';
import type { ImportContext } from '../../../src/component/host-import.ts';
import { CREDENTIALS_ERROR_CASE, credentialsImport } from '../../../src/component/imports/credentials.ts';
import type { Credentials } from '../../../src/credentials/credentials.ts';
import { createFakeBroker, EXPIRY_SECONDS, FAKE_CREDENTIALS } from '../../fakes/broker.ts';
import { createFakeHosting } from '../../fakes/hosting.ts';
import { accessToken, boundAccessToken, PROOF_KEY, vaultToken } from '../../fakes/other-credentials.ts';

const codes = Object.keys(ERROR_CODES) as ErrorCode[];
const caller = { component: 'api', digest: `sha256:${'0'.repeat(64)}` };
const wit = readFileSync('wit/svidx-credentials-0.1.0/credentials.wit', 'utf8');

/** Who asks, and who answers. */
function context(broker: Broker): ImportContext {
  return { caller, broker, hosting: createFakeHosting() };
}

async function get(failure: unknown, ...args: unknown[]): Promise<unknown> {
  const broker = createFakeBroker();
  broker.failure = failure;
  return credentialsImport.functions['get']?.(context(broker), args);
}

describe('svidx:credentials/store', () => {
  test('is the interface of wit/', () => {
    expect(credentialsImport.name).toBe('svidx:credentials/store');
    expect(Object.keys(credentialsImport.functions)).toEqual(['get']);
    expect(wit).toContain('package svidx:credentials@0.1.0;');
    expect(wit).toContain('get: func(grant: string) -> result<credentials, error>;');
  });

  test.each<[Credentials, object]>([
    [accessToken('azure'), { token: 'the-token-of-azure', tokenType: 'Bearer' }],
    [accessToken('gcp'), { token: 'the-token-of-gcp', tokenType: 'Bearer' }],
    [accessToken('oauth'), { token: 'the-token-of-oauth', tokenType: 'Bearer', proofKey: undefined }],
    [boundAccessToken(), { token: 'the-token-of-oauth', tokenType: 'DPoP', proofKey: PROOF_KEY }],
    [vaultToken('a'), { token: 'the-token-of-vault', address: 'https://vault.example.org', namespace: 'a' }],
    [
      vaultToken(undefined),
      { token: 'the-token-of-vault', address: 'https://vault.example.org', namespace: undefined },
    ],
  ])('gives other credentials as their own case: $kind', async (credentials, val) => {
    const broker = createFakeBroker();
    broker.give = credentials;
    const expiration = BigInt(Date.parse('2026-11-22T12:15:00Z') / 1000);
    expect(await credentialsImport.functions['get']?.(context(broker), ['any'])).toEqual({
      ok: { tag: credentials.kind, val: { ...val, expiration } },
    });
    // The case is one that the interface has.
    expect(wit).toMatch(new RegExp(`^ {4}${credentials.kind}\\(`, 'm'));
  });

  test('gives the credentials of the grant to the one who asks, in whole seconds', async () => {
    const broker = createFakeBroker();
    broker.credentials = async (who, grant) => {
      broker.asked.push({ caller: who, grant });
      return { ...FAKE_CREDENTIALS, expiresAt: EXPIRY_SECONDS * 1000 + 999 };
    };
    expect(await credentialsImport.functions['get']?.(context(broker), ['models'])).toEqual({
      ok: {
        tag: 'aws',
        val: {
          accessKeyId: 'ASIAEXAMPLEEXAMPLE00',
          secretAccessKey: 'the-secret-access-key',
          sessionToken: 'the-session-token',
          expiration: BigInt(EXPIRY_SECONDS),
          region: 'eu-central-1',
        },
      },
    });
    expect(broker.asked).toEqual([{ caller, grant: 'models' }]);
  });
});

describe('its errors', () => {
  test('every code has a case, and nothing else has', () => {
    expect(Object.keys(CREDENTIALS_ERROR_CASE).sort()).toEqual([...codes].sort());
  });

  test('every case is one of the variant in the WIT, and each of those has its use', () => {
    const variant = /variant error \{([^}]*)\}/.exec(wit)?.[1] ?? '';
    const cases = [...variant.matchAll(/^\s+([a-z-]+)\(failure\),/gm)].map(([, name]) => name);
    expect([...new Set(Object.values(CREDENTIALS_ERROR_CASE))].sort()).toEqual(cases.sort());
  });

  test.each(codes)('%s is of its case, with code and message and without detail', async (code) => {
    expect(await get(new SvidxError(code, 'a sentence', { detail: 'DETAIL' }), 'g')).toEqual({
      err: { tag: CREDENTIALS_ERROR_CASE[code], val: { code, message: 'a sentence' } },
    });
  });

  test('only the policy denies; what may pass by itself is unavailable', () => {
    const of = (wanted: string): string[] => codes.filter((code) => CREDENTIALS_ERROR_CASE[code] === wanted).sort();
    expect(of('denied')).toEqual(['policy_denied']);
    expect(of('no-identity')).toEqual([
      'identity_mismatch',
      'identity_not_found',
      'identity_request_rejected',
      'identity_response_invalid',
    ]);
    expect(of('unavailable')).toEqual([
      'bundle_unavailable',
      'exchange_throttled',
      'exchange_unavailable',
      'identity_delegate_unauthorized',
      'identity_unavailable',
      'rate_limited',
      'service_stopping',
      'service_unreachable',
    ]);
    expect(of('rejected')).toEqual([
      'exchange_denied',
      'exchange_request_rejected',
      'exchange_response_invalid',
      'exchange_token_rejected',
      'request_invalid',
      'request_too_large',
    ]);
  });

  test.each([
    ['an error that is none of ours', new Error('SECRET-1')],
    ['a text', 'SECRET-1'],
  ])('%s says nothing of itself', async (_, failure) => {
    const message = 'something went wrong inside svid-exchange';
    expect(await get(failure, 'g')).toEqual({ err: { tag: 'internal', val: { code: 'internal_error', message } } });
  });

  test.each([[[]], [[1]], [[undefined]], [[null]]])(
    'arguments %j, which lifting never gives, do not throw',
    async (args) => {
      expect(await get(undefined, ...args)).toMatchObject({ err: { tag: 'internal' } });
    },
  );
});
