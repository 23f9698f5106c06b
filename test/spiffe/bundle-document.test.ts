import { describe, expect, test } from 'vitest';
import { parseBundleDocument, parseBundleOrKeySet } from '../../src/spiffe/bundle-document.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { refusal } from '../support/errors.ts';
import { publicJwk } from '../support/signing-keys.ts';

const ORG = TrustDomain.parse('example.org');
const key = (kid: string, use?: string): object => ({ kid, use, ...publicJwk('example.org/ec-p256') });

function parse(document: object | string) {
  return parseBundleDocument(ORG, Buffer.from(typeof document === 'string' ? document : JSON.stringify(document)));
}

describe('a SPIFFE bundle (Trust Domain and Bundle 4)', () => {
  test('has its keys, its number and its hint', () => {
    const keys = [key('a', 'jwt-svid'), key('b', 'x509-svid'), key('c'), key('d', 'sig'), key('e', 'jwt-svid ')];
    const { bundle, sequence, refreshHintSeconds } = parse({ keys, spiffe_sequence: 12, spiffe_refresh_hint: 60 });
    expect(bundle.authorities.map(({ keyId }) => keyId)).toEqual(['a']);
    expect([bundle.trustDomain.name, bundle.skippedKeys, sequence, refreshHintSeconds]).toEqual([
      'example.org',
      4,
      12n,
      60,
    ]);
  });

  test('may say nothing but its keys, of which there may be none (4.1.3)', () => {
    const { bundle, ...rest } = parse('{"keys":[]}');
    expect(rest).toEqual({ sequence: undefined, refreshHintSeconds: undefined });
    expect(bundle.authorities).toEqual([]);
  });

  test.each([
    ['0', 0n],
    ['9007199254740993', 9_007_199_254_740_993n],
    ['18446744073709551615', 18_446_744_073_709_551_615n],
  ])('keeps the number %s to the last digit (4.1.1)', (digits, expected) => {
    expect(parse(`{"spiffe_sequence":${digits},"keys":[]}`).sequence).toBe(expected);
    expect(parse(`{"keys":[],\n "spiffe_sequence" : ${digits}\n}`).sequence).toBe(expected);
  });

  test.each(['-1', '1.5', '1e3', '"1"', 'null', 'true', '[1]', '18446744073709551616', `1${'0'.repeat(400)}`])(
    'with the number %s is refused',
    async (sequence) => {
      const error = await refusal(() => parse(`{"keys":[],"spiffe_sequence":${sequence}}`));
      expect([error.code, error.message]).toEqual([
        'bundle_invalid',
        'the bundle of example.org must have a whole number as its "spiffe_sequence"',
      ]);
    },
  );

  test('has the number of the document, not one that stands elsewhere in it', () => {
    expect(
      parse('{"keys":[{"spiffe_sequence":1}],"a":{"spiffe_sequence":2},"b":"\\"spiffe_sequence\\":3"}').sequence,
    ).toBe(undefined);
  });

  test.each(['', '[]', '{}', '{"keys":{}}', '{"keys":[]} x'])('is not %j', async (text) => {
    expect((await refusal(() => parse(text))).code).toBe('bundle_invalid');
  });
});

describe('a file of keys', () => {
  const keyIds = (document: object): string[] =>
    parseBundleOrKeySet(ORG, Buffer.from(JSON.stringify(document))).authorities.map(({ keyId }) => keyId);

  test.each<[string, object, string[]]>([
    ['a JWK Set, without use', { keys: [key('a')] }, ['a']],
    ['a JWK Set, with OIDC’s use', { keys: [key('a', 'sig'), key('b', 'enc')] }, ['a']],
    ['a bundle by its number', { spiffe_sequence: 1, keys: [key('a'), key('b', 'jwt-svid')] }, ['b']],
    ['a bundle by its hint', { spiffe_refresh_hint: 1, keys: [key('a')] }, []],
    ['a bundle by a key for JWT-SVIDs', { keys: [key('a'), key('b', 'jwt-svid')] }, ['b']],
    ['a bundle by a key for X.509-SVIDs alone', { keys: [key('a'), key('b', 'x509-svid')] }, []],
  ])('is %s', (_, document, expected) => {
    expect(keyIds(document)).toEqual(expected);
  });
});
