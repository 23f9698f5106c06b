import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import { der, integer, sequence } from '../../src/dev/certificates/der-writer.ts';
import {
  basicConstraints,
  extendedKeyUsage,
  extension,
  keyUsage,
  subjectAltName,
} from '../../src/dev/certificates/extensions.ts';
import type { X509BundleSet } from '../../src/spiffe/x509-bundle.ts';
import { verifyX509Svid } from '../../src/spiffe/x509-svid.ts';
import { createCertificate, type TestCertificate } from '../support/certificates.ts';
import {
  createAuthorityCertificate,
  createSvidCertificate,
  derOf,
  HOST_ID,
  type LeafParts,
  rsaKeys,
  x509Bundle,
  x509BundleSet,
} from '../support/x509-svids.ts';

const NOW = Date.now();
const authority = createAuthorityCertificate();
const trusted = x509BundleSet(x509Bundle('example.org', authority));

/** The SPIFFE ID, or the code of the refusal. */
function verify(chain: readonly TestCertificate[], bundles: X509BundleSet = trusted, now = NOW): string {
  try {
    return verifyX509Svid(chain.map(derOf), { bundles, now }).spiffeId.toString();
  } catch (error) {
    if (error instanceof SvidxError) return error.code;
    throw error;
  }
}

const leaf = (parts: LeafParts = {}): TestCertificate => createSvidCertificate(authority, parts);

describe('an X509-SVID is accepted', () => {
  test('as SPIRE makes it', () => {
    expect(verify([leaf()])).toBe(HOST_ID);
  });

  test('without extended key usage, and without basic constraints', () => {
    expect(verify([leaf({ purposes: [] })])).toBe(HOST_ID);
    expect(verify([leaf({ constraints: [] })])).toBe(HOST_ID);
  });

  test('with a DNS name beside its URI', () => {
    expect(verify([leaf({ names: [['dns', Buffer.from('host.example.org')]] })])).toBe(HOST_ID);
  });

  test('with an extension that nobody has to understand', () => {
    expect(verify([leaf({ more: [extension('1.2.3.4', false, sequence())] })])).toBe(HOST_ID);
  });

  test.each([2048, 3072])('with an RSA key of %i bits', (bits) => {
    expect(verify([createSvidCertificate(authority, {}, { keys: rsaKeys(bits) })])).toBe(HOST_ID);
  });

  test.each(['P-384', 'P-521'])('with a key on %s', (namedCurve) => {
    const keys = generateKeyPairSync('ec', { namedCurve });
    expect(verify([createSvidCertificate(authority, {}, { keys })])).toBe(HOST_ID);
  });

  test('of a federated trust domain, by its own bundle', () => {
    const other = createAuthorityCertificate();
    const bundles = x509BundleSet(x509Bundle('example.org', authority), x509Bundle('partner.example', other));
    const uris = ['spiffe://partner.example/host'];
    expect(verify([createSvidCertificate(other, { uris })], bundles)).toBe('spiffe://partner.example/host');
  });

  test('says until when: the earliest end on its path', () => {
    const notAfter = (hours: number): Date => new Date(Math.floor(NOW / 1000) * 1000 + hours * 3600_000);
    const root = createAuthorityCertificate({ notAfter: notAfter(30) });
    const middle = createAuthorityCertificate({ issuer: root, notAfter: notAfter(1) });
    const svid = createSvidCertificate(middle, {}, { notAfter: notAfter(20) });
    const bundle = x509Bundle('example.org', root);
    const verified = verifyX509Svid([svid, middle].map(derOf), { bundles: x509BundleSet(bundle), now: NOW });
    expect(verified).toMatchObject({ validUntil: notAfter(1).getTime() });
    const short = createSvidCertificate(authority, {}, { notAfter: notAfter(1) });
    expect(verifyX509Svid([derOf(short)], { bundles: trusted, now: NOW })).toMatchObject({
      validUntil: notAfter(1).getTime(),
    });
    expect(verified.bundle).toBe(bundle);
  });
});

describe('an X509-SVID is malformed', () => {
  const malformed: readonly (readonly [string, LeafParts])[] = [
    ['without a URI', { uris: [] }],
    ['with a DNS name alone', { uris: [], names: [['dns', Buffer.from('host.example.org')]] }],
    ['with a SPIFFE ID as a DNS name', { uris: [], names: [['dns', Buffer.from(HOST_ID)]] }],
    ['with two URIs', { uris: [HOST_ID, 'spiffe://example.org/host/b'] }],
    ['with the same URI twice', { uris: [HOST_ID, HOST_ID] }],
    ['with a URI of another scheme beside', { uris: [HOST_ID, 'https://example.org/'] }],
    ['with a URI of another scheme', { uris: ['https://example.org/host/a'] }],
    ['of the trust domain itself', { uris: ['spiffe://example.org'] }],
    ['with an empty path', { uris: ['spiffe://example.org/'] }],
    ['with a scheme in capitals', { uris: ['SPIFFE://example.org/host/a'] }],
    ['with a trust domain in capitals', { uris: ['spiffe://Example.org/host/a'] }],
    ['percent-encoded', { uris: ['spiffe://example.org/host/%61'] }],
    ['with a zero in its ID', { uris: ['spiffe://example.org/host/a\0'] }],
    ['with a port', { uris: ['spiffe://example.org:443/host/a'] }],
    ['with a user', { uris: ['spiffe://x@example.org/host/a'] }],
    ['with a query', { uris: ['spiffe://example.org/host/a?'] }],
    ['with a dot segment', { uris: ['spiffe://example.org/host/x/../a'] }],
    ['with letters beyond ASCII', { uris: ['spiffe://example.org/host/\xe4'] }],
    ['that is an authority', { constraints: [basicConstraints(true)] }],
    ['whose key may sign certificates', { usage: [keyUsage('digitalSignature', 'keyCertSign')] }],
    ['whose key may sign revocation lists', { usage: [keyUsage('digitalSignature', 'cRLSign')] }],
    ['whose key is for encryption alone', { usage: [keyUsage('keyEncipherment')] }],
    ['whose key is for nothing', { usage: [keyUsage()] }],
    ['that does not say what its key is for', { usage: [] }],
    ['for servers alone', { purposes: [extendedKeyUsage('serverAuth')] }],
    ['for no purpose', { purposes: [extendedKeyUsage()] }],
    ['with a critical extension of unknown meaning', { more: [extension('1.2.3.4', true, sequence())] }],
    ['with name constraints', { more: [extension('2.5.29.30', false, sequence())] }],
    ['with an extension that is there twice', { usage: [keyUsage('digitalSignature'), keyUsage('digitalSignature')] }],
    [
      'with basic constraints that are no sequence',
      { constraints: [extension('2.5.29.19', true, integer(Buffer.of(1)))] },
    ],
    [
      'with a number where its basic constraints have a truth value',
      { constraints: [extension('2.5.29.19', true, sequence(integer(Buffer.of(1))))] },
    ],
    ['with a truth value of one', { constraints: [extension('2.5.29.19', true, sequence(der(0x01, Buffer.of(1))))] }],
  ];

  test.each(malformed)('%s', (_, parts) => {
    expect(verify([leaf(parts)])).toBe('certificate_malformed');
  });

  test.each([
    ['RSA, 1024 bits', () => rsaKeys(1024)],
    ['EC, secp256k1', () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
    ['Ed448', () => generateKeyPairSync('ed448')],
  ])('with a key of %s', (_, keys) => {
    expect(verify([createSvidCertificate(authority, {}, { keys: keys() })])).toBe('certificate_malformed');
  });

  test('that is no certificate, is cut short, or goes on', () => {
    const good = derOf(leaf());
    const codes = [Buffer.from('nothing'), Buffer.of(), good.subarray(0, -1), Buffer.concat([good, Buffer.of(0)])].map(
      (bytes) => {
        try {
          return verifyX509Svid([bytes], { bundles: trusted, now: NOW }).spiffeId;
        } catch (error) {
          return error instanceof SvidxError ? error.code : error;
        }
      },
    );
    expect(codes).toEqual(Array(4).fill('certificate_malformed'));
  });

  test('that comes with a crowd', () => {
    expect(verify([leaf(), ...Array<TestCertificate>(9).fill(authority)])).toBe(HOST_ID);
    expect(verify([leaf(), ...Array<TestCertificate>(10).fill(authority)])).toBe('certificate_malformed');
  });

  test('there is none', () => {
    expect(verify([])).toBe('certificate_missing');
  });
});

describe('times', () => {
  const svid = createSvidCertificate(
    authority,
    {},
    { notBefore: new Date(NOW - 60_000), notAfter: new Date(NOW + 60_000) },
  );
  const second = Math.floor(NOW / 1000) * 1000;

  test.each([
    [second - 60_001, 'certificate_not_yet_valid'],
    [second - 60_000, HOST_ID],
    [second + 60_000, HOST_ID],
    [second + 60_001, 'certificate_expired'],
  ])('at %i: %s', (now, expected) => {
    expect(verify([svid], trusted, now)).toBe(expected);
  });

  test.each([
    ['expired', { notAfter: new Date(NOW - 10_000) }],
    ['not yet valid', { notBefore: new Date(NOW + 10_000) }],
  ])('an authority that is %s vouches for nobody, trusted or on the way', (_, change) => {
    const root = createAuthorityCertificate(change);
    expect(verify([createSvidCertificate(root)], x509BundleSet(x509Bundle('example.org', root)))).toBe(
      'certificate_untrusted',
    );
    const middle = createAuthorityCertificate({ issuer: authority, ...change });
    expect(verify([createSvidCertificate(middle), middle])).toBe('certificate_untrusted');
  });
});

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

test('no refusal repeats what was shown', () => {
  const uris = ['spiffe://example.org/host/eyJhbGciOiJFUzI1NiJ9.secret?'];
  try {
    verifyX509Svid([derOf(leaf({ uris }))], { bundles: trusted, now: NOW });
    expect.unreachable();
  } catch (error) {
    expect(String(error)).not.toContain('secret');
  }
});

/** As a leaf is, but for its issuer. */
function createSelfSigned(): TestCertificate {
  const parts = [keyUsage('digitalSignature'), subjectAltName([['uri', Buffer.from(HOST_ID)]])];
  return createCertificate({ hosts: [], extensions: [basicConstraints(false), ...parts] });
}

const ECDSA_WITH_SHA1 = { id: '1.2.840.10045.4.1', digest: 'sha1' };
const RSA_WITH_SHA256 = { id: '1.2.840.113549.1.1.11', digest: 'sha256' };
