import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import type { AwsCredentials } from '../../src/credentials/credentials.ts';
import { credentialFields, credentialFieldsSchema, credentialsFromFields } from '../../src/credentials/wire.ts';
import { boundAccessToken, PROOF_KEY } from '../fakes/other-credentials.ts';
import { asAws } from '../support/credentials.ts';

const FIELDS = {
  kind: 'aws',
  accessKeyId: 'ASIAEXAMPLE',
  secretAccessKey: 'the-secret-key',
  sessionToken: 'the-session-token',
  expiration: '2026-11-22T12:15:00.000Z',
  region: 'us-east-1',
};

function overTheWire(credentials: AwsCredentials): AwsCredentials {
  return asAws(
    credentialsFromFields(credentialFieldsSchema.parse(JSON.parse(JSON.stringify(credentialFields(credentials))))),
  );
}

describe('credentials that go over the wire and come back', () => {
  test('are the same, whatever is in them', () => {
    const text = fc.string({ unit: 'binary' });
    // Up to the year 9999, to the millisecond.
    const time = fc.integer({ min: 0, max: 253_402_300_799_999 });
    fc.assert(
      fc.property(text, text, text, text, time, (accessKeyId, secret, session, region, expiresAt) => {
        const back = overTheWire({
          kind: 'aws',
          accessKeyId,
          secretAccessKey: new Secret(secret),
          sessionToken: new Secret(session),
          expiresAt,
          region,
        });
        expect([back.kind, back.accessKeyId, back.region, back.expiresAt]).toEqual([
          'aws',
          accessKeyId,
          region,
          expiresAt,
        ]);
        expect([back.secretAccessKey.reveal(), back.sessionToken.reveal()]).toEqual([secret, session]);
      }),
    );
  });

  test('are frozen, and print without their secrets', () => {
    const credentials = asAws(credentialsFromFields(credentialFieldsSchema.parse(FIELDS)));
    expect(Object.isFrozen(credentials)).toBe(true);
    for (const printed of [JSON.stringify(credentials), inspect(credentials), `${credentials.sessionToken}`]) {
      expect(printed).toContain('[redacted]');
      expect(printed).not.toMatch(/the-secret-key|the-session-token/);
    }
  });
});

describe('a token that is bound to a key', () => {
  const fields = {
    kind: 'oauth',
    token: 'the-token',
    tokenType: 'DPoP',
    proofKey: PROOF_KEY,
    expiration: '2026-11-22T12:15:00.000Z',
  };

  test('comes back with its key, frozen, and prints as nothing', () => {
    const sent = credentialFields(boundAccessToken());
    const back = credentialsFromFields(credentialFieldsSchema.parse(JSON.parse(JSON.stringify(sent))));
    expect(credentialFields(back)).toEqual(sent);
    expect(back).toMatchObject({ kind: 'oauth', tokenType: 'DPoP' });
    expect(Object.isFrozen(back)).toBe(true);
    expect(inspect(back) + JSON.stringify(back)).not.toMatch(/the-private-key|the-token/);
  });

  test.each([
    ['no key', { proofKey: undefined }],
    ['a key that is no text', { proofKey: { kty: 'EC' } }],
    ['another kind', { kind: 'azure' }],
    ['another type of token', { tokenType: 'dpop' }],
  ])('is refused with %s', (_, changes) => {
    expect(credentialFieldsSchema.safeParse(fields).success).toBe(true);
    expect(credentialFieldsSchema.safeParse({ ...fields, ...changes }).success).toBe(false);
  });

  test('is not what a bearer token becomes by a key beside it', () => {
    const bearer = credentialFieldsSchema.parse({ ...fields, tokenType: 'Bearer' });
    expect(bearer).not.toHaveProperty('proofKey');
  });
});

describe('fields that arrive', () => {
  test('may have further ones, which are dropped', () => {
    expect(credentialFieldsSchema.parse({ ...FIELDS, more: 1 })).toEqual(FIELDS);
  });

  test.each([
    ['another kind', { kind: 'gcp' }],
    ['no kind', { kind: undefined }],
    ['no access key', { accessKeyId: undefined }],
    ['no secret key', { secretAccessKey: undefined }],
    ['no session token', { sessionToken: undefined }],
    ['no region', { region: undefined }],
    ['no expiration', { expiration: undefined }],
    ['a secret key that is null', { secretAccessKey: null }],
    ['a session token that is a number', { sessionToken: 7 }],
    ['an expiration in milliseconds', { expiration: 1_790_000_000_000 }],
    ['an expiration that is no time', { expiration: 'soon' }],
    ['an expiration that is no day', { expiration: '2026-02-30T00:00:00Z' }],
    ['an expiration of no time zone', { expiration: '2026-11-22T12:15:00' }],
    ['an expiration of another time zone', { expiration: '2026-11-22T12:15:00+02:00' }],
  ])('are refused with %s', (_, changes) => {
    expect(credentialFieldsSchema.safeParse({ ...FIELDS, ...changes }).success).toBe(false);
  });
});
