import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EgressRule } from '../../src/policy/egress-rule.ts';
import { type EgressTarget, parseEgressTarget, permitsEgress } from '../../src/policy/permits-egress.ts';
import { compile } from '../support/policies.ts';

function rules(...egress: unknown[]): readonly EgressRule[] {
  const policy = { component: 'api', spiffeId: 'spiffe://example.org/api', selectors: ['a:b'], egress };
  return compile(JSON.stringify(policy)).get('api')?.egress ?? [];
}

const API = rules('https://api.example.org/v1/');
const TARGET: EgressTarget = { scheme: 'https', host: 'api.example.org', port: 443, path: '/v1/models' };

function permits(granted: readonly EgressRule[], target: Partial<EgressTarget>): boolean {
  return permitsEgress(granted, { ...TARGET, ...target }) !== undefined;
}

describe('a request is permitted', () => {
  test('to the scheme, host and port that a rule names, and below its path', () => {
    expect(permitsEgress(API, TARGET)).toEqual({ addresses: [] });
    for (const path of ['/v1/', '/v1/a/b/c', '/v1/a/', '/v1/a.b', '/v1/.well-known', '/v1/a%20b', '/v1/a:b@c;d=e']) {
      expect(permits(API, { path }), path).toBe(true);
    }
  });

  test.each(['API.EXAMPLE.ORG', 'Api.Example.Org'])('to the same host written as %s', (host) => {
    expect(permits(API, { host })).toBe(true);
  });

  test('to exactly one path where the rule does not end with a slash', () => {
    const one = rules('https://api.example.org/v1/models');
    expect(permits(one, { path: '/v1/models' })).toBe(true);
    for (const path of ['/v1/models/', '/v1/models/x', '/v1/model', '/v1/modelss', '/v1/models;x', '/v1/model%73']) {
      expect(permits(one, { path }), path).toBe(false);
    }
  });

  test('to everything where the rule has no path, whatever a server makes of it', () => {
    const all = rules('https://api.example.org');
    for (const path of ['/', '/v1', '/a//b', '/a/../b', '/a%2fb', '/a;/..;/b'])
      expect(permits(all, { path }), path).toBe(true);
  });

  test.each(['::1', '[::1]', '[0:0:0:0:0:0:0:1]', '[::0.0.0.1]'])('to ::1 written as %s', (host) => {
    expect(permits(rules('https://[0::1]:443'), { host })).toBe(true);
  });

  test('with the networks of all rules that permit it', () => {
    const range = (address: string, prefix: number) => ({ address, prefix, family: 'ipv4' });
    const both = rules(
      { url: 'https://api.example.org', addresses: ['10.0.0.0/8'] },
      { url: 'https://api.example.org/v1/', addresses: ['192.168.0.0/16'] },
      { url: 'https://api.example.org/v2/', addresses: ['172.16.0.0/12'] },
    );
    expect(permitsEgress(both, TARGET)).toEqual({ addresses: [range('10.0.0.0', 8), range('192.168.0.0', 16)] });
    expect(permitsEgress(rules('https://127.0.0.1'), { ...TARGET, host: '127.0.0.1' })).toEqual({
      addresses: [range('127.0.0.1', 32)],
    });
  });
});

describe('a request is not permitted', () => {
  test('where there is no rule', () => {
    expect(permits([], {})).toBe(false);
  });

  test.each<[string, Partial<EgressTarget>]>([
    ['another scheme', { scheme: 'http' }],
    ['another scheme, on its own port', { scheme: 'http', port: 80 }],
    ['a scheme in upper case', { scheme: 'HTTPS' }],
    ['a scheme with a colon', { scheme: 'https:' }],
    ['another port', { port: 8443 }],
    ['port 0', { port: 0 }],
    ['a port 65,536 above', { port: 443 + 65_536 }],
    ['a port that is none', { port: Number.NaN }],
    ['a host below', { host: 'evil.api.example.org' }],
    ['a host above', { host: 'example.org' }],
    ['a host that ends alike', { host: 'xapi.example.org' }],
    ['a host that begins alike', { host: 'api.example.org.evil.example' }],
    ['a trailing dot', { host: 'api.example.org.' }],
    ['an empty host', { host: '' }],
    ['userinfo', { host: 'api.example.org@evil.example' }],
    ['userinfo before it', { host: 'evil@api.example.org' }],
    ['a port in the host', { host: 'api.example.org:443' }],
    ['a path in the host', { host: 'api.example.org/' }],
    ['a backslash in the host', { host: 'evil.example\\api.example.org' }],
    ['a fragment in the host', { host: 'evil.example#api.example.org' }],
    ['white space behind the host', { host: 'api.example.org ' }],
    ['a line end behind the host', { host: 'api.example.org\r\n' }],
    ['a NUL in the host', { host: 'api.example.org\0.evil.example' }],
    ['an encoded dot in the host', { host: 'api%2eexample.org' }],
    ['a dot of another script', { host: 'api。example。org' }],
    ['a letter of another script', { host: 'аpi.example.org' }],
  ])('to %s', (_, target) => {
    expect(permits(API, target)).toBe(false);
  });

  test.each([
    '127.1',
    '0x7f.1',
    '0x7f000001',
    '2130706433',
    '017700000001',
    '0177.0.0.1',
    '127.0.0.01',
    '127.0.0.1.',
    '127.0.0.1%00',
    '[127.0.0.1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '::ffff:127.0.0.1',
    '[::127.0.0.1]',
    'localhost',
    '①②⑦.⓪.⓪.①',
  ])('to 127.0.0.1 written as %s', (host) => {
    const loopback = rules('https://127.0.0.1');
    expect(permits(loopback, { host: '127.0.0.1' })).toBe(true);
    expect(permits(loopback, { host })).toBe(false);
  });

  const hostilePaths = [
    '',
    'v1/models',
    '*',
    '/',
    '/v1',
    '/v10/',
    '/V1/models',
    '/v2/models',
    '//v1/models',
    '/./v1/models',
    '/v1//models',
    '/v1/models//',
    '/v1/../v2',
    '/v1/..',
    '/v1/.',
    '/v1/./models',
    '/v1/a/../../v2',
    '/v1/...',
    '/v1/%2e%2e/v2',
    '/v1/%2E%2E/v2',
    '/v1/.%2e/v2',
    '/v1/%2e./v2',
    '/v1/%2e',
    '/v1/%252e%252e/v2',
    '/v1/%25252e%25252e/v2',
    '/v1/%2525252525252e',
    '/v1/..;/v2',
    '/v1/..;a=b/v2',
    '/v1/%2e%2e;/v2',
    '/v1/..%3b/v2',
    '/v1/.;/v2',
    '/v1/..%20/v2',
    '/v1/%20../v2',
    '/v1/..%00/v2',
    '/v1/..%09/v2',
    '/v1/a%0d%0ax',
    '/v1/a%7f',
    '/v1/%2fv2',
    '/v1/..%2fv2',
    '/v1/..%2Fv2',
    '/v1/a%252fb',
    '/v1/%5c..%5cv2',
    '/v1/..%5cv2',
    '/v1\\models',
    '/v1/..\\v2',
    '/v1/\\v2',
    '/v1/%c0%ae%c0%ae/v2',
    '/v1/%e0%80%ae/v2',
    '/v1/%25c0%25ae/v2',
    '/v1/%uff0e%uff0e/v2',
    '/v1/%u002e%u002e/v2',
    '/v1/%ef%bc%8e%ef%bc%8e/v2',
    '/v1/%ef%bc%8fv2',
    '/v1/%e2%80%a5/v2',
    '/v1/%ef%bc%852e%ef%bc%852e/v2',
    '/v1/..%ef%bc%852fv2',
    '/v1/%25ef%25bc%25852e./v2',
    '/v1/.%e2%80%8b./v2',
    '/v1/..%c2%ad/v2',
    '/v1/%ef%bb%bf../v2',
    '/v1/..%e2%80%8b%ef%bc%852fv2',
    '/v1/..%e2%88%95v2',
    '/v1/..%e2%81%84v2',
    '/v1/..%e2%88%96v2',
    '/v1/．．/v2',
    '/v1/%',
    '/v1/%2',
    '/v1/%zz',
    '/v1/a b',
    '/v1/a\tb',
    '/v1/.\t./v2',
    '/v1/.\n./v2',
    '/v1/a\r\nHost: evil.example',
    '/v1/a\0',
    '/v1/a?b',
    '/v1/a#b',
    '/v1/ü',
    '/%76%31/models',
    '/v1%2fmodels',
    '/v1;/models',
    '/v1;x/models',
    'https://api.example.org/v1/models',
  ];

  test.each(hostilePaths)('to the path %j', (path) => {
    expect(permits(API, { path: '/v1/models' })).toBe(true);
    expect(permits(API, { path })).toBe(false);
  });

  const segment = fc.oneof(
    fc.constantFrom(
      '..',
      '.',
      '%2e%2e',
      '.%2E',
      '..;',
      '..;x',
      '%252e.',
      '\\',
      '%5c',
      '%2f',
      '',
      'v1',
      'v2',
      'a',
      '..%00',
    ),
    fc.string({
      unit: fc.constantFrom('.', '%', '2', 'e', 'f', '5', 'c', ';', '\\', 'a', '\t', '?', '#'),
      maxLength: 8,
    }),
  );

  test('to a path that comes out elsewhere, by the rules of URLs or by those of a server that decodes twice', () => {
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 6 }), (segments) => {
        const path = `/v1/${segments.join('/')}`;
        if (!permits(API, { path })) return;
        for (const reader of [asUrl, decodedOnce, decodedTwice, withoutParameters]) {
          expect(reader(path).startsWith('/v1/'), `${reader.name}: ${reader(path)}`).toBe(true);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

const asUrl = (path: string): string => new URL(`https://api.example.org${path}`).pathname;
const decodedOnce = (path: string): string => asUrl(decodeURIComponent(path).replaceAll('\\', '/'));
const decodedTwice = (path: string): string => decodedOnce(decodeURIComponent(path));
const withoutParameters = (path: string): string => decodedOnce(path.replace(/;[^/]*/g, ''));

describe('what a component wants to send', () => {
  test.each<[string, string, string, EgressTarget]>([
    ['https', 'api.example.org', '/v1/models?q=1', TARGET],
    ['https', 'API.example.org:443', '/v1/models', TARGET],
    ['http', '127.0.0.1', '', { scheme: 'http', host: '127.0.0.1', port: 80, path: '/' }],
    ['http', '[0::1]:8080', '?a/../b', { scheme: 'http', host: '::1', port: 8080, path: '/' }],
    ['https', 'a.example:65535', '/?a#b'.slice(0, 3), { scheme: 'https', host: 'a.example', port: 65_535, path: '/' }],
  ])('%s %s %s goes to one place', (scheme, authority, pathWithQuery, target) => {
    expect(parseEgressTarget(scheme, authority, pathWithQuery)).toEqual(target);
  });

  test.each([
    ['', 'a.example', '/'],
    ['ftp', 'a.example', '/'],
    ['HTTPS', 'a.example', '/'],
    ['https', '', '/'],
    ['https', ':443', '/'],
    ['https', 'a.example:', '/'],
    ['https', 'a.example:0', '/'],
    ['https', 'a.example:0443', '/'],
    ['https', 'a.example:+443', '/'],
    ['https', 'a.example:-1', '/'],
    ['https', 'a.example: 443', '/'],
    ['https', 'a.example:443 ', '/'],
    ['https', 'a.example:65536', '/'],
    ['https', 'a.example:4294967739', '/'],
    ['https', 'a.example:0x1bb', '/'],
    ['https', 'a.example:4٤3', '/'],
    ['https', 'a.example:443:443', '/'],
    ['https', 'user@a.example', '/'],
    ['https', 'user:pass@a.example', '/'],
    ['https', 'a.example@evil.example', '/'],
    ['https', '@a.example', '/'],
    ['https', 'a.example/', '/'],
    ['https', 'a.example?', '/'],
    ['https', 'a.example#', '/'],
    ['https', 'a.example\\', '/'],
    ['https', 'a.example.', '/'],
    ['https', '::1', '/'],
    ['https', '[::1', '/'],
    ['https', '[::1]x', '/'],
    ['https', '[::1]443', '/'],
    ['https', '[::1%25lo]:443', '/'],
    ['https', '2130706433', '/'],
    ['https', '0x7f.1:443', '/'],
    ['https', 'a.example', 'v1'],
    ['https', 'a.example', '*'],
    ['https', 'a.example', '/a b'],
    ['https', 'a.example', '/a#b'],
    ['https', 'a.example', '/\\evil.example'],
    ['https', 'a.example', '/a\r\n'],
    ['https', 'a.example', 'https://evil.example/'],
  ])('%s %j %j goes nowhere', (scheme, authority, pathWithQuery) => {
    expect(parseEgressTarget(scheme, authority, pathWithQuery)).toBeUndefined();
  });

  test('is where a URL with these parts would go, or nowhere', () => {
    const authority = fc.oneof(
      fc.webAuthority({ withPort: true, withIPv4: true, withIPv6: true, withIPv4Extended: true, withUserInfo: true }),
      fc.string({
        unit: fc.constantFrom('a', 'A', '.', ':', '4', '3', '@', '[', ']', '%', '\\', '/', '0', 'x'),
        maxLength: 10,
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom('http', 'https'), authority, (scheme, text) => {
        const target = parseEgressTarget(scheme, text, '/x');
        if (target === undefined) return;
        const url = new URL(`${scheme}://${text}/x`);
        expect([url.username, url.password, url.pathname]).toEqual(['', '', '/x']);
        expect(url.hostname.replace(/^\[(.*)\]$/, '$1')).toBe(target.host);
        expect(url.port === '' ? (scheme === 'http' ? 80 : 443) : Number(url.port)).toBe(target.port);
      }),
      { numRuns: 2_000 },
    );
  });
});
