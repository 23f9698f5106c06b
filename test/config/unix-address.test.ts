import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseUnixAddress } from '../../src/config/unix-address.ts';

describe('the address of a unix socket', () => {
  test.each([
    ['unix:///run/spire/admin.sock', '/run/spire/admin.sock'],
    ['unix:/run/spire/admin.sock', '/run/spire/admin.sock'],
    ['unix:///a', '/a'],
    ['unix:///with space/ü', '/with space/ü'],
    ['unix:///not%20decoded', '/not%20decoded'],
    ['unix:///a//b', '/a//b'],
  ])('may be %s', (text, path) => {
    expect(parseUnixAddress(text)).toEqual({ path });
  });

  test.each([
    '',
    'unix:',
    'unix:/',
    'unix://',
    'unix:///',
    'unix:////a',
    'unix://host/path',
    'unix://localhost',
    'unix:relative',
    'unix:./relative',
    'unix:///folder/',
    'unix:///a?b',
    'unix:///a#b',
    'unix:///a\n',
    'unix:///a\0b',
    '/run/spire/admin.sock',
    'run/spire/admin.sock',
    'UNIX:///a',
    ' unix:///a',
    'tcp://127.0.0.1:8081',
    'http://127.0.0.1',
    'npipe:spire',
    'file:///a',
  ])('is not %j', (text) => {
    expect(parseUnixAddress(text)).toEqual({ problem: 'expected the address of a unix socket, unix:///path' });
  });

  test('comes out as an absolute path that names no folder, whatever goes in', () => {
    const piece = fc.constantFrom('unix', ':', '/', '//', 'a', '?', '#', '\n', ' ');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const address = parseUnixAddress(pieces.join(''));
        if ('path' in address) expect(address.path).toMatch(/^\/([^/][\s\S]*)?[^/]$/);
      }),
    );
  });
});
