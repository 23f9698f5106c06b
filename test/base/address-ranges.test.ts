import { expect, test } from 'vitest';
import { type AddressRange, parseAddressRange } from '../../src/base/address-range.ts';
import { createAddressRanges } from '../../src/base/address-ranges.ts';

function ranges(...texts: readonly string[]): (address: string) => boolean {
  return createAddressRanges(
    texts.map(parseAddressRange).filter((range): range is AddressRange => range !== undefined),
  );
}

test.each([
  ['10.0.0.0/8', ['10.0.0.0', '10.255.255.255', '::ffff:10.1.2.3', '::FFFF:a01:203'], ['9.255.255.255', '11.0.0.0']],
  ['10.1.2.3/8', ['10.0.0.0'], ['11.0.0.0']],
  ['128.0.0.0/1', ['128.0.0.0', '255.255.255.255'], ['127.255.255.255']],
  ['127.0.0.1', ['127.0.0.1', '::ffff:7f00:1'], ['127.0.0.0', '127.0.0.2', '::7f00:1']],
  ['2001:db8::/33', ['2001:db8::', '2001:DB8:7fff::1'], ['2001:db8:8000::', '2001:db7::']],
  ['fe80::/10', ['fe80::1', 'fe80::1%eth0', 'febf::1'], ['fec0::1']],
  ['::1', ['::1', '0:0:0:0:0:0:0:1', '::0.0.0.1'], ['::', '::2']],
])('%s has in it %j, and not %j', (text, inside, outside) => {
  const isInside = ranges(text);
  expect(inside.filter(isInside)).toEqual(inside);
  expect(outside.filter(isInside)).toEqual([]);
});

test.each(['::1/64', '::/1', '::/8', '::/80', '::fffe:0:0/95'])('%s has no IPv4 address in it', (text) => {
  const addresses = ['127.0.0.1', '10.0.0.1', '169.254.169.254', '1.1.1.1', '::ffff:169.254.169.254', '::ffff:7f00:1'];
  expect(parseAddressRange(text)).toBeDefined();
  expect(addresses.filter(ranges(text))).toEqual([]);
});

test.each(['0.0.0.0/1', '10.0.0.0/8'])('%s has no IPv6 address in it', (text) => {
  expect(['::', '::1', '::10.0.0.1', 'a00::', '64:ff9b::10.0.0.1'].filter(ranges(text))).toEqual([]);
});

test('what is no address is in nothing', () => {
  expect(['', '%', '%eth0', 'localhost', '127.1', '0x7f.0.0.1', '[::1]'].filter(ranges('0.0.0.0/1', '::/1'))).toEqual(
    [],
  );
});

test('several networks, or none', () => {
  expect(['10.0.0.1', '::1', '11.0.0.1'].filter(ranges('10.0.0.0/8', '::1'))).toEqual(['10.0.0.1', '::1']);
  expect(['10.0.0.1', '::1'].filter(ranges())).toEqual([]);
});
