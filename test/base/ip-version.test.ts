import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ipVersion } from '../../src/base/ip-version.ts';

describe('an IP address', () => {
  test.each([
    ['127.0.0.1', 4],
    ['0.0.0.0', 4],
    ['255.255.255.255', 4],
    ['::', 6],
    ['::1', 6],
    ['2001:DB8::1', 6],
    ['1:2:3:4:5:6:7:8', 6],
    ['::ffff:127.0.0.1', 6],
  ])('%s is of version %s', (text, version) => {
    expect(ipVersion(text)).toBe(version);
  });

  test.each([
    ['nothing', ''],
    ['fewer numbers', '127.1'],
    ['one number', '2130706433'],
    ['a hexadecimal number', '0x7f.0.0.1'],
    ['an octal number', '0177.0.0.1'],
    ['a leading zero', '127.0.0.01'],
    ['a number too large', '127.0.0.256'],
    ['a dot more', '127.0.0.1.'],
    ['a line end', '127.0.0.1\n'],
    ['digits of another script', '１27.0.0.1'],
    ['a zone', 'fe80::1%eth0'],
    ['brackets', '[::1]'],
    ['two gaps', '1::2::3'],
    ['a colon more', '1:2:3:4:5:6:7:8:'],
    ['a group too long', '::00001'],
    ['an IPv4 address at the front', '127.0.0.1::'],
    ['a name', 'localhost'],
  ])('is not what has %s', (_, text) => {
    expect(ipVersion(text)).toBeUndefined();
  });

  test('is the same as for sockets', () => {
    const texts = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.string({ unit: fc.constantFrom('0', '1', '9', 'f', ':', '::', '.', '255', 'x'), maxLength: 20 }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect(ipVersion(text) ?? 0).toBe(isIP(text));
      }),
      { numRuns: 1_000 },
    );
  });
});
