import { describe, expect, test } from 'vitest';
import { parseBundleMap } from '../../src/spiffe/bundle-map.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { refusal } from '../support/errors.ts';
import { publicJwk } from '../support/signing-keys.ts';

function keySet(kid: string, whose: string, use?: string): object {
  return { keys: [{ kid, use, ...publicJwk(`${whose}/ec-p256`) }] };
}

/** The `x` of each key of this trust domain; `undefined` when it has no bundle. */
function held(text: string, name: string): unknown[] | undefined {
  const bundle = parseBundleMap(Buffer.from(text)).get(TrustDomain.parse(name));
  return bundle?.authorities.map(({ jwk }) => (jwk.kty === 'EC' ? jwk.x : undefined));
}

const x = (whose: string): unknown => publicJwk(`${whose}/ec-p256`)['x'];

describe('bundles of several trust domains', () => {
  test('stay apart, also where their keys have the same ID', () => {
    const plain = { 'a.example': keySet('same', 'a.example'), 'b.example': keySet('same', 'b.example') };
    const map = {
      trust_domains: {
        'a.example': keySet('same', 'a.example', 'jwt-svid'),
        'b.example': keySet('same', 'b.example', 'jwt-svid'),
      },
    };
    for (const text of [JSON.stringify(plain), JSON.stringify(map)]) {
      expect(held(text, 'a.example')).toEqual([x('a.example')]);
      expect(held(text, 'b.example')).toEqual([x('b.example')]);
      expect(held(text, 'c.example')).toBeUndefined();
    }
    expect(x('a.example')).not.toBe(x('b.example'));
  });

  test('in a Bundle Map are SPIFFE bundles: keys without use do not count (4.2.2), other members are left alone', () => {
    const text = JSON.stringify({
      version: 1,
      trust_domains: { 'a.example': { ...keySet('k', 'a.example'), spiffe_refresh_hint: 5 } },
      'b.example': keySet('k', 'b.example'),
    });
    expect(held(text, 'a.example')).toEqual([]);
    expect(held(text, 'b.example')).toBeUndefined();
  });

  test('may be that of a trust domain called "trust_domains", or of none', () => {
    expect(held(JSON.stringify({ trust_domains: keySet('k', 'a.example') }), 'trust_domains')).toEqual([
      x('a.example'),
    ]);
    expect(held('{}', 'a.example')).toBeUndefined();
    expect(held('{"trust_domains":{}}', 'a.example')).toBeUndefined();
  });

  test.each([
    ['{"a.example":{"keys":[]},"a.example":{"keys":[]}}', '"a.example" is written twice'],
    ['{"trust_domains":{"a.example":{"keys":[]},"a.example":{"keys":[]}}}', '"a.example" is written twice'],
    ['{"trust_domains":{},"trust_domains":{"a.example":{"keys":[]}}}', '"trust_domains" is written twice'],
    ['{"a.example":{"keys":[],"keys":[]}}', '"keys" is written twice'],
    ['{"a.example":{"keys":[{"kid":"a","kid":"b"}]}}', '"kid" is written twice'],
  ])('%s is refused', async (text, message) => {
    expect(await refusal(() => parseBundleMap(Buffer.from(text)))).toMatchObject({ code: 'bundle_invalid', message });
  });

  test.each([
    ['', 'bundle_invalid'],
    ['[]', 'bundle_invalid'],
    ['{"a.example":[]}', 'bundle_invalid'],
    ['{"trust_domains":[]}', 'bundle_invalid'],
    ['{"trust_domains":{"a.example":null}}', 'bundle_invalid'],
    ['{"trust_domains":{"spiffe://a.example":{"keys":[]}}}', 'trust_domain_invalid'],
    ['{"trust_domains":{"A.example":{"keys":[]}}}', 'trust_domain_invalid'],
  ])('%s is refused as %s', async (text, code) => {
    expect((await refusal(() => parseBundleMap(Buffer.from(text)))).code).toBe(code);
  });

  test('are refused when they are nested without end, as what they are', async () => {
    const text = `{"a.example":{"keys":[],"x":${'['.repeat(70)}${']'.repeat(70)}}}`;
    expect(await refusal(() => parseBundleMap(Buffer.from(text)))).toMatchObject({
      code: 'bundle_invalid',
      message: 'is nested too deeply',
    });
  });
});
