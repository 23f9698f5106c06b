import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalHost } from '../../src/base/canonical-host.ts';

describe('the one spelling of a host', () => {
  test.each([
    ['api.example.org', 'api.example.org'],
    ['API.Example.ORG', 'api.example.org'],
    ['localhost', 'localhost'],
    ['my_service.internal', 'my_service.internal'],
    ['xn--mnchen-3ya.example', 'xn--mnchen-3ya.example'],
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
    ['[::1]', '::1'],
    ['[0:0:0:0:0:0:0:1]', '::1'],
    ['[0000::0001]', '::1'],
    ['[::0.0.0.1]', '::1'],
    ['[2001:DB8::A]', '2001:db8::a'],
    ['[2001:db8:0:0:1:0:0:1]', '2001:db8::1:0:0:1'],
    ['[::ffff:127.0.0.1]', '::ffff:7f00:1'],
    ['[::FFFF:7F00:0001]', '::ffff:7f00:1'],
  ])('of %s is %s', (text, host) => {
    expect(canonicalHost(text)).toBe(host);
  });

  test.each([
    ['nothing', ''],
    ['a trailing dot', 'api.example.org.'],
    ['a leading dot', '.api.example.org'],
    ['two dots', 'api..example.org'],
    ['userinfo', 'user@api.example.org'],
    ['a port', 'api.example.org:443'],
    ['a path', 'api.example.org/'],
    ['a backslash', 'api.example.org\\'],
    ['white space', 'api.example.org '],
    ['a tab inside', 'api.exam\tple.org'],
    ['a line end', 'api.example.org\n'],
    ['a NUL', 'api.example.org\0'],
    ['percent-encoding', 'api%2eexample.org'],
    ['a wildcard', '*.example.org'],
    ['letters beyond ASCII', 'münchen.example'],
    ['a full stop of another script', 'api。example.org'],
    ['letters of full width', 'ａpi.example.org'],
    ['a soft hyphen', 'api.exa\u00admple.org'],
    ['a hyphen at the front', '-api.example.org'],
    ['a hyphen at the end of a label', 'api-.example.org'],
    ['a label of 64 letters', `${'a'.repeat(64)}.example.org`],
    ['254 characters', `${'a.'.repeat(126)}aa`],
    ['an IPv4 address of two numbers', '127.1'],
    ['an IPv4 address of one number', '2130706433'],
    ['an IPv4 address in hexadecimal', '0x7f.1'],
    ['an IPv4 address in hexadecimal, one number', '0x7f000001'],
    ['an IPv4 address in octal', '0177.0.0.1'],
    ['an IPv4 address with leading zeros', '127.000.000.001'],
    ['an IPv4 address with a trailing dot', '127.0.0.1.'],
    ['an IPv4 address in brackets', '[127.0.0.1]'],
    ['a name that ends in a number', 'example.1'],
    ['a name that ends in a hexadecimal number', 'example.0x1'],
    ['an IPv6 address with a zone', 'fe80::1%eth0'],
    ['an IPv6 address with a zone in brackets', '[fe80::1%25eth0]'],
    ['a bracket only', '[::1'],
    ['two brackets', '[[::1]]'],
    ['empty brackets', '[]'],
    ['an IPv6 address of the future', '[v1.a]'],
  ])('is none of what has %s', (_, text) => {
    expect(canonicalHost(text)).toBeUndefined();
  });

  test('is the spelling of itself, and what a URL with it means', () => {
    const texts = fc.oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV4Extended(),
      fc.ipV6(),
      fc.string({
        unit: fc.constantFrom('a', 'A', '0', 'x', '.', '-', '_', ':', '[', ']', '@', '%', '/'),
        maxLength: 12,
      }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const host = canonicalHost(text);
        if (host === undefined) return;
        expect(canonicalHost(host)).toBe(host);
        const written = host.includes(':') ? `[${host}]` : host;
        expect(new URL(`https://${written}/`).hostname).toBe(written);
      }),
      { numRuns: 1_000 },
    );
  });
});
