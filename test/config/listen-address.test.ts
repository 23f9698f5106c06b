import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isLoopbackHost } from '../../src/base/http-url.ts';
import { parseListenAddress } from '../../src/config/listen-address.ts';

describe('an address to listen on', () => {
  test.each([
    ['127.0.0.1:8080', '127.0.0.1', 8080],
    ['0.0.0.0:0', '0.0.0.0', 0],
    ['255.255.255.255:65535', '255.255.255.255', 65_535],
    ['[::1]:8080', '::1', 8080],
    ['[::]:0', '::', 0],
    ['[2001:DB8::1]:443', '2001:DB8::1', 443],
    ['[::ffff:127.0.0.1]:1', '::ffff:127.0.0.1', 1],
    ['localhost:8080', '127.0.0.1', 8080],
    ['LocalHost:8080', '127.0.0.1', 8080],
  ])('may be %s', (text, host, port) => {
    expect(parseListenAddress(text)).toEqual({ host, port });
  });

  test.each([
    '',
    ':8080',
    '8080',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:x',
    '127.0.0.1:-1',
    '127.0.0.1:+1',
    '127.0.0.1:65536',
    '127.0.0.1:99999',
    '127.0.0.1:000080',
    '127.0.0.1:8080 ',
    ' 127.0.0.1:8080',
    '127.0.0.1:8080\n',
    '127.0.0.1:٨٠',
    '127.0.0.1:0x50',
    '127.0.0.1:80/path',
    '127.0.0.1:80:80',
    'http://127.0.0.1:80',
    '127.0.0.1.1:80',
    '127.0.0:80',
    '127.1:80',
    '256.0.0.1:80',
    '0127.0.0.1:80',
    '2130706433:80',
    '[127.0.0.1]:80',
    '::1:80',
    '[::1]',
    '[::1:80',
    '[::1%lo]:80',
    '[::g]:80',
    '[]:80',
    '[localhost]:80',
    '*:80',
    'example.org:80',
    'localhost.example.org:80',
    'localhost.:80',
    '.:80',
    'unix:/run/x.sock',
  ])('is not %j', (text) => {
    expect(parseListenAddress(text)).toBeUndefined();
  });

  test('comes out as a real IP address and port, whatever goes in', () => {
    const piece = fc.constantFrom('127', '.', '0', ':', '[', ']', '::1', 'localhost', '1', '80', '65536', 'f', ' ');
    const text = fc.oneof(
      fc.array(piece, { maxLength: 10 }).map((pieces) => pieces.join('')),
      fc.string(),
    );
    fc.assert(
      fc.property(text, (candidate) => {
        const address = parseListenAddress(candidate);
        if (address === undefined) return;
        expect(isIP(address.host)).toBeGreaterThan(0);
        expect(address.port).toBeLessThanOrEqual(65_535);
      }),
    );
  });

  test('survives the way through its text', () => {
    const address = fc.record({ host: fc.oneof(fc.ipV4(), fc.ipV6()), port: fc.nat(65_535) });
    fc.assert(
      fc.property(address, ({ host, port }) => {
        expect(parseListenAddress(`${host.includes(':') ? `[${host}]` : host}:${port}`)).toEqual({ host, port });
      }),
    );
  });
});

describe('loopback', () => {
  test.each(['localhost', 'LOCALHOST', '127.0.0.1', '127.255.255.255', '127.0.0.0', '::1', '[::1]'])('is %s', (host) =>
    expect(isLoopbackHost(host)).toBe(true),
  );

  test.each([
    '',
    '0.0.0.0',
    '::',
    '[::]',
    '10.0.0.1',
    '192.168.1.1',
    '128.0.0.1',
    '12.7.0.0',
    '127',
    '127.0.0.1.example.org',
    '127.example.org',
    'localhost.example.org',
    'localhost.',
    'example.org',
    '::ffff:127.0.0.1',
    '::2',
    '[[::1]]',
    '127.0.0.1:80',
    ' 127.0.0.1',
  ])('is not %j', (host) => expect(isLoopbackHost(host)).toBe(false));
});
