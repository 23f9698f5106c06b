import { describe, expect, test } from 'vitest';
import { createComponentRoutes, isPlainPath } from '../../src/http/component-routes.ts';

/** A table of these routes, each with its own text as target: `/api`, `a.example/api`, `a.example`. */
function table(...texts: readonly string[]): (host: string, path: string) => string | undefined {
  return createComponentRoutes(
    texts.map((target) => {
      const slash = target.indexOf('/');
      const host = slash === -1 ? target : target.slice(0, slash);
      const prefix = slash === -1 ? '' : target.slice(slash).replace(/\/$/, '');
      return { route: { host: host === '' ? undefined : host, prefix }, target };
    }),
  );
}

describe('routes by path', () => {
  const find = table('/api', '/api/v2', '/', '/static/a.b');

  test.each([
    ['/', '/'],
    ['/x', '/'],
    ['/api', '/api'],
    ['/api/', '/api'],
    ['/api/v1', '/api'],
    ['/api/v22', '/api'],
    ['/api/v2', '/api/v2'],
    ['/api/v2/x', '/api/v2'],
    ['/apix', '/'],
    ['/API', '/'],
    ['/ap', '/'],
    ['/x/api', '/'],
    ['/static/a.b', '/static/a.b'],
    ['/static/aXb', '/'],
    ['/%61pi/x', '/'],
  ])('%s goes to %s', (path, expected) => {
    expect(find('localhost:8000', path)).toBe(expected);
  });

  test('what no route is for goes nowhere', () => {
    const few = table('/api', '/login');
    expect(few('h', '/')).toBeUndefined();
    expect(few('h', '/apix')).toBeUndefined();
    expect(few('h', '/logi')).toBeUndefined();
    expect(few('h', '/login')).toBe('/login');
    expect(table()('h', '/')).toBeUndefined();
  });
});

describe('routes by host', () => {
  const find = table('a.example', 'a.example/deep', '/deep/er', 'b.example/only', '[::1]/six');

  test.each([
    ['a.example', '/', 'a.example'],
    ['A.Example:8443', '/x', 'a.example'],
    ['a.example', '/deep/er', 'a.example/deep'],
    ['b.example', '/only/x', 'b.example/only'],
    ['b.example', '/deep/er', '/deep/er'],
    ['c.example', '/deep/er/x', '/deep/er'],
  ])('%s%s goes to %s', (host, path, expected) => {
    expect(find(host, path)).toBe(expected);
  });

  test.each([
    ['b.example', '/'],
    ['c.example', '/deep'],
    ['a.example.evil.example', '/'],
    ['xa.example', '/'],
    ['a.example.', '/'],
    ['a.example@b.example', '/'],
    ['a.example:x', '/'],
    ['', '/'],
    ['127.1', '/'],
  ])('%s%s goes nowhere', (host, path) => {
    expect(find(host, path)).toBeUndefined();
  });

  test('an IPv6 address is compared in its one spelling', () => {
    const six = createComponentRoutes([{ route: { host: '::1', prefix: '' }, target: 'six' }]);
    expect(six('[::1]:80', '/')).toBe('six');
    expect(six('[0:0::1]', '/')).toBe('six');
    expect(six('::1', '/')).toBeUndefined();
  });
});

describe('a path that everybody reads alike', () => {
  test.each([
    '/',
    '/api',
    '/api/',
    '/a.b/..c/...x',
    '/%41/%C3%BC/100%25',
    '/a;b=1/c',
    '/x@y:z,~!$&()*+=',
    '/a%3Fb%23c',
  ])('is %s', (path) => {
    expect(isPlainPath(path)).toBe(true);
  });

  test.each([
    '',
    'api',
    '*',
    '//',
    '//api',
    '/api//x',
    '/api/../x',
    '/api/..',
    '/./api',
    '/api/.',
    '/api/..;/x',
    '/api/.;a=b/x',
    '/api/%2e%2e/x',
    '/api/.%2E/x',
    '/api/%2e%2e%3bx/y',
    '/%2fapi',
    '/api%2Fx',
    '/api%5cx',
    '/api\\x',
    '/api%00',
    '/api%0a',
    '/api%7f',
    '/api%',
    '/api%2',
    '/api%zz',
    '/%c0%ae%c0%ae/x',
    '/%c0%afapi',
    '/%ff',
    '/a b',
    '/a\tb',
    '/ä',
    '/a#b',
    '/a?b',
  ])('is not %j', (path) => {
    expect(isPlainPath(path)).toBe(false);
  });
});
