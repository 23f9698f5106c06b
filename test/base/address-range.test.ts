import { describe, expect, test } from 'vitest';
import { parseAddressRange } from '../../src/base/address-range.ts';

describe('a network', () => {
  test.each([
    ['10.0.0.0/8', { address: '10.0.0.0', prefix: 8, family: 'ipv4' }],
    ['10.1.2.3', { address: '10.1.2.3', prefix: 32, family: 'ipv4' }],
    ['10.1.2.3/32', { address: '10.1.2.3', prefix: 32, family: 'ipv4' }],
    ['0.0.0.0/1', { address: '0.0.0.0', prefix: 1, family: 'ipv4' }],
    ['2001:db8::/32', { address: '2001:db8::', prefix: 32, family: 'ipv6' }],
    ['::1', { address: '::1', prefix: 128, family: 'ipv6' }],
    ['2001:DB8::/128', { address: '2001:DB8::', prefix: 128, family: 'ipv6' }],
  ])('is %s', (text, range) => {
    expect(parseAddressRange(text)).toEqual(range);
  });

  test.each([
    '',
    '/8',
    '10.0.0.0/',
    '10.0.0.0/0',
    '::/0',
    '10.0.0.0/33',
    '::1/129',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.0/8.0',
    '10.0.0.0/255.0.0.0',
    '10.0.0/8',
    '10/8',
    '010.0.0.1',
    '256.0.0.1',
    '[::1]/128',
    'fe80::1%eth0',
    '::ffff:10.0.0.0/104',
    '::FFFF:a00:1',
    'localhost',
    'proxy.example.org',
    '10.0.0.0-10.0.0.9',
    '10.0.0.0/8 ',
    ' 10.0.0.0/8',
    '10.0.0.0/8,11.0.0.0/8',
    '*',
  ])('is not %j', (text) => {
    expect(parseAddressRange(text)).toBeUndefined();
  });
});
