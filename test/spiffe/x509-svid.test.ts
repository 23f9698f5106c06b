import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import { der, integer, sequence } from '../../src/dev/certificates/der-writer.ts';
import { basicConstraints, extendedKeyUsage, extension, keyUsage } from '../../src/dev/certificates/extensions.ts';
import { verifyX509Svid } from '../../src/spiffe/x509-svid.ts';
import type { TestCertificate } from '../support/certificates.ts';
import {
  createAuthorityCertificate,
  createSvidCertificate,
  derOf,
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

test('no refusal repeats what was shown', () => {
  const uris = ['spiffe://example.org/host/eyJhbGciOiJFUzI1NiJ9.secret?'];
  try {
    verifyX509Svid([derOf(leaf({ uris }))], { bundles: trusted, now: NOW });
    expect.unreachable();
  } catch (error) {
    expect(String(error)).not.toContain('secret');
  }
});
