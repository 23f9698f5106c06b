import { describe, expect, test } from 'vitest';
import { parseHttpUrl } from '../../src/base/http-url.ts';
import { parseIssuer } from '../../src/config/issuer.ts';

function accepted(text: string): boolean {
  return !('problem' in parseIssuer(text));
}

describe('an issuer', () => {
  test('is kept as it was written, and says where its documents are', () => {
    expect(parseIssuer('https://oidc.example.org')).toEqual({
      url: 'https://oidc.example.org',
      path: '',
      discoveryPath: '/.well-known/openid-configuration',
      keysPath: '/keys',
      discoveryUrl: 'https://oidc.example.org/.well-known/openid-configuration',
      keysUrl: 'https://oidc.example.org/keys',
    });
  });

  // OpenID Connect Discovery section 4: the well-known part goes to the end of the issuer, its path included.
  test('with a path has its documents below it', () => {
    expect(parseIssuer('https://example.org/td/prod')).toMatchObject({
      discoveryPath: '/td/prod/.well-known/openid-configuration',
      keysPath: '/td/prod/keys',
      discoveryUrl: 'https://example.org/td/prod/.well-known/openid-configuration',
      keysUrl: 'https://example.org/td/prod/keys',
    });
  });

  test.each([
    'https://Example.ORG',
    'https://example.org:8443',
    'https://example.org:443',
    'https://192.0.2.1',
    'https://[2001:db8::1]/a',
    'https://example.org/a//b',
    'https://example.org/@me:x',
    'https://example.org/a%20b',
    'http://127.0.0.1:8080',
    'http://127.1.2.3',
    'http://localhost:1/a',
    'http://[::1]:8080',
  ])('may be %s', (text) => {
    expect(parseIssuer(text)).toMatchObject({ url: text, keysUrl: `${text}/keys` });
    // What is served is what a client asks for that reads the URL.
    expect(parseIssuer(text)).toMatchObject({ keysPath: new URL(`${text}/keys`).pathname });
  });

  test.each([
    ['nothing', '', 'expected an https URL without credentials'],
    ['no scheme', 'example.org', 'expected an https URL without credentials'],
    ['another scheme', 'spiffe://example.org', 'expected an https URL without credentials'],
    ['a scheme in upper case', 'HTTPS://example.org', 'expected an https URL without credentials'],
    ['http', 'http://example.org', 'expected an https URL'],
    ['http on any address', 'http://0.0.0.0:8080', 'expected an https URL'],
    ['http on a private address', 'http://10.0.0.1', 'expected an https URL'],
    ['http on a host that begins like loopback', 'http://127.0.0.1.example.org', 'expected an https URL'],
    ['http on a host that begins like localhost', 'http://localhost.example.org', 'expected an https URL'],
    ['no host', 'https://', 'expected an https URL without credentials'],
    ['a path for a host', 'https:///example.org', 'expected an https URL without credentials'],
    ['no slashes', 'https:example.org', 'expected an https URL without credentials'],
    ['one slash', 'https:/example.org', 'expected an https URL without credentials'],
    ['backslashes', 'https:\\\\example.org', 'expected an https URL without credentials'],
    ['a backslash in its path', 'https://example.org\\a', 'expected an https URL without credentials'],
    ['a user', 'https://user@example.org', 'expected an https URL without credentials'],
    ['a password', 'https://:secret@example.org', 'expected an https URL without credentials'],
    ['an empty user', 'https://@example.org', 'expected an https URL without credentials'],
    ['a query', 'https://example.org?a=b', 'expected a URL without query and fragment'],
    ['an empty query', 'https://example.org?', 'expected a URL without query and fragment'],
    ['a fragment', 'https://example.org#a', 'expected a URL without query and fragment'],
    ['an empty fragment', 'https://example.org/a#', 'expected a URL without query and fragment'],
    ['a trailing slash', 'https://example.org/', 'expected a URL without a trailing slash'],
    ['a path with a trailing slash', 'https://example.org/a/', 'expected a URL without a trailing slash'],
    ['a way up in its path', 'https://example.org/a/../b', 'expected a URL with its path in normal form'],
    ['a hidden way up', 'https://example.org/a/%2e%2e/b', 'expected a URL with its path in normal form'],
    ['a dot for a path', 'https://example.org/.', 'expected a URL with its path in normal form'],
    ['a letter in its path that URLs escape', 'https://example.org/ü', 'expected a URL with its path in normal form'],
    ['an impossible port', 'https://example.org:65536', 'expected an https URL without credentials'],
    ['an impossible host', 'https://exa mple.org', 'expected an https URL without credentials'],
  ])('has not %s', (_, text, problem) => {
    expect(parseIssuer(text)).toEqual({ problem });
  });

  test('holds no space and no control character anywhere, though a URL parser would drop them', () => {
    const places = [
      (char: string) => `${char}https://example.org`,
      (char: string) => `https://exam${char}ple.org`,
      (char: string) => `https://example.org/a${char}b`,
      (char: string) => `https://example.org${char}`,
    ];
    const codes = [...Array(0x21).keys(), ...Array.from({ length: 0x22 }, (_, index) => 0x7f + index), 0x2028, 0xfeff];
    for (const code of codes) {
      for (const place of places) expect(accepted(place(String.fromCharCode(code))), `code ${code}`).toBe(false);
    }
  });
});

test('a URL that is written as it should be is read, and no other', () => {
  expect(parseHttpUrl('https://sts.example.org/path?x=1#y')?.href).toBe('https://sts.example.org/path?x=1#y');
  for (const text of ['https://sts.example.org@evil.example.org', 'ftp://example.org', ' https://a', 'https://a b']) {
    expect(parseHttpUrl(text)).toBeUndefined();
  }
});
