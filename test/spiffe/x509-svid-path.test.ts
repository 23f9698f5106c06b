import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { boolean, der, integer, sequence } from '../../src/dev/certificates/der-writer.ts';
import {
  basicConstraints,
  extendedKeyUsage,
  extension,
  keyUsage,
  subjectAltName,
} from '../../src/dev/certificates/extensions.ts';
import { createCertificate, type TestCertificate } from '../support/certificates.ts';
import {
  createAuthorityCertificate,
  createSvidCertificate,
  HOST_ID,
  type LeafParts,
  rsaKeys,
  verifiedIdOf,
  x509Bundle,
  x509BundleSet,
} from '../support/x509-svids.ts';

const NOW = Date.now();
const authority = createAuthorityCertificate();
const trusted = x509BundleSet(x509Bundle('example.org', authority));

function verify(chain: readonly TestCertificate[], bundles = trusted, now = NOW): string {
  return verifiedIdOf(chain, bundles, now);
}

const leaf = (parts: LeafParts = {}): TestCertificate => createSvidCertificate(authority, parts);

describe('the path', () => {
  const middle = createAuthorityCertificate({ issuer: authority });
  const lower = createAuthorityCertificate({ issuer: middle });

  test('goes over what was shown beside the leaf, in any order, with others between', () => {
    const svid = createSvidCertificate(lower);
    expect(verify([svid, lower, middle])).toBe(HOST_ID);
    expect(verify([svid, middle, createAuthorityCertificate(), lower])).toBe(HOST_ID);
    expect(verify([svid, lower, middle, authority])).toBe(HOST_ID);
  });

  test('may end at an authority that is itself issued by another', () => {
    expect(verify([createSvidCertificate(middle)], x509BundleSet(x509Bundle('example.org', middle)))).toBe(HOST_ID);
  });

  const stranger = createAuthorityCertificate();
  const nameOf = (subject: string, options: Parameters<typeof createAuthorityCertificate>[0] = {}) =>
    createAuthorityCertificate({ ...options, subject });
  const [named, namesake] = [nameOf('the same name'), nameOf('the same name')];

  test.each<[string, () => readonly TestCertificate[]]>([
    ['signed itself', () => [createSelfSigned()]],
    ['is of another authority', () => [createSvidCertificate(stranger)]],
    ['brings its own authority along', () => [createSvidCertificate(stranger), stranger]],
    ['lacks what lies between', () => [createSvidCertificate(lower), middle]],
    ['lacks all that lies between', () => [createSvidCertificate(lower)]],
    [
      'is issued by a workload',
      () => {
        const host = leaf();
        return [createSvidCertificate(host), host];
      },
    ],
    [
      'is issued by a version of an authority that may not sign',
      () => {
        const odd = createAuthorityCertificate({ issuer: authority, parts: [keyUsage('digitalSignature')] });
        return [createSvidCertificate(odd), odd];
      },
    ],
    [
      'is issued by an authority for servers alone',
      () => {
        const odd = createAuthorityCertificate({
          issuer: authority,
          parts: [keyUsage('keyCertSign'), extendedKeyUsage('serverAuth')],
        });
        return [createSvidCertificate(odd), odd];
      },
    ],
    [
      'is issued by an authority with name constraints',
      () => {
        const odd = createAuthorityCertificate({
          issuer: authority,
          parts: [keyUsage('keyCertSign'), extension('2.5.29.30', true, sequence())],
        });
        return [createSvidCertificate(odd), odd];
      },
    ],
    [
      'is issued by an authority with a weak key',
      () => {
        const odd = createAuthorityCertificate({ issuer: authority, keys: rsaKeys(1024) });
        return [createSvidCertificate(odd, {}, { algorithm: RSA_WITH_SHA256 }), odd];
      },
    ],
    ['is signed with SHA-1', () => [createSvidCertificate(authority, {}, { algorithm: ECDSA_WITH_SHA1 })]],
    [
      'is two below an authority that allows one',
      () => {
        const strict = createAuthorityCertificate({ issuer: authority, pathLength: 0 });
        const below = createAuthorityCertificate({ issuer: strict });
        return [createSvidCertificate(below), below, strict];
      },
    ],
  ])('there is none where the leaf %s', (_, chain) => {
    expect(verify(chain())).toBe('certificate_untrusted');
  });

  test('needs the name as well as the key', () => {
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const [one, other] = [createAuthorityCertificate({ keys }), createAuthorityCertificate({ keys })];
    const bundles = x509BundleSet(x509Bundle('example.org', one));
    expect(verify([createSvidCertificate(one)], bundles)).toBe(HOST_ID);
    expect(verify([createSvidCertificate(other)], bundles)).toBe('certificate_untrusted');
  });

  test.each([
    ['says that it is none', [basicConstraints(false)]],
    ['does not say that it is one', []],
  ])('goes over no authority that %s, whatever its key may sign', (_, constraints) => {
    const odd = createSvidCertificate(authority, { constraints, usage: [keyUsage('keyCertSign')], uris: [] });
    expect(verify([createSvidCertificate(odd), odd])).toBe('certificate_untrusted');
    const silent = createSvidCertificate(authority, { constraints, usage: [], uris: [] });
    expect(verify([createSvidCertificate(silent), silent])).toBe('certificate_untrusted');
  });

  test('is not found by names alone', () => {
    const bundles = x509BundleSet(x509Bundle('example.org', named));
    expect(verify([createSvidCertificate(named)], bundles)).toBe(HOST_ID);
    expect(verify([createSvidCertificate(namesake)], bundles)).toBe('certificate_untrusted');
    expect(verify([createSvidCertificate(namesake), named], bundles)).toBe('certificate_untrusted');
    expect(verify([createSvidCertificate(namesake), namesake], bundles)).toBe('certificate_untrusted');
  });

  test('is that of a bundle with two of one name, whichever signed', () => {
    const bundles = x509BundleSet(x509Bundle('example.org', named, namesake));
    expect(verify([createSvidCertificate(named)], bundles)).toBe(HOST_ID);
    expect(verify([createSvidCertificate(namesake)], bundles)).toBe(HOST_ID);
  });

  test('keeps to what an authority allows below it', () => {
    const strict = createAuthorityCertificate({ issuer: authority, pathLength: 0 });
    expect(verify([createSvidCertificate(strict), strict])).toBe(HOST_ID);
    const root = createAuthorityCertificate({ pathLength: 0 });
    const under = createAuthorityCertificate({ issuer: root });
    const bundles = x509BundleSet(x509Bundle('example.org', root));
    expect(verify([createSvidCertificate(root)], bundles)).toBe(HOST_ID);
    expect(verify([createSvidCertificate(under), under], bundles)).toBe('certificate_untrusted');
  });
});

/** RFC 5280 section 4.2.1.9: `pathLenConstraint INTEGER (0..MAX)`, and nothing after it. */
test.each([
  ['is negative', [der(0x02, Buffer.of(0xff))]],
  ['is very negative', [der(0x02, Buffer.of(0x80, 0x00))]],
  ['is empty', [der(0x02, Buffer.of())]],
  ['is there twice', [integer(Buffer.of(0)), integer(Buffer.of(9))]],
])('there is no path over an authority whose path length %s', (_, lengths) => {
  const constraints = extension('2.5.29.19', true, sequence(boolean(true), ...lengths));
  const odd = createCertificate({ hosts: [], issuer: authority, extensions: [constraints, keyUsage('keyCertSign')] });
  expect(verify([createSvidCertificate(odd), odd])).toBe('certificate_malformed');
  const bundle = x509Bundle('example.org', odd);
  expect(bundle).toMatchObject({ authorities: [], skippedKeys: 1 });
});

describe('a trust domain', () => {
  const partner = createAuthorityCertificate();
  const both = x509BundleSet(x509Bundle('example.org', authority), x509Bundle('partner.example', partner));

  test('vouches for its own IDs only', () => {
    expect(verify([createSvidCertificate(partner)], both)).toBe('certificate_untrusted');
    expect(verify([leaf({ uris: ['spiffe://partner.example/host'] })], both)).toBe('certificate_untrusted');
  });

  test('of which there is no bundle is unknown, whoever signed', () => {
    expect(verify([leaf({ uris: ['spiffe://other.example/host'] })], both)).toBe('certificate_trust_domain_unknown');
    expect(verify([leaf()], x509BundleSet())).toBe('certificate_trust_domain_unknown');
  });

  test('with an empty bundle vouches for nobody', () => {
    expect(verify([leaf()], x509BundleSet(x509Bundle('example.org')))).toBe('certificate_untrusted');
  });
});

/** As a leaf is, but for its issuer. */
function createSelfSigned(): TestCertificate {
  const parts = [keyUsage('digitalSignature'), subjectAltName([['uri', Buffer.from(HOST_ID)]])];
  return createCertificate({ hosts: [], extensions: [basicConstraints(false), ...parts] });
}

const ECDSA_WITH_SHA1 = { id: '1.2.840.10045.4.1', digest: 'sha1' };
const RSA_WITH_SHA256 = { id: '1.2.840.113549.1.1.11', digest: 'sha256' };
