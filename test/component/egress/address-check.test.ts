import { describe, expect, test } from 'vitest';
import { type AddressRange, parseAddressRange } from '../../../src/base/address-range.ts';
import { createAddressCheck } from '../../../src/component/egress/address-check.ts';

const withoutGrants = createAddressCheck([]);

function granting(...ranges: readonly string[]): (address: string) => boolean {
  return createAddressCheck(
    ranges.map(parseAddressRange).filter((range): range is AddressRange => range !== undefined),
  );
}

describe('without a grant', () => {
  test.each([
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '52.94.133.131',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '168.63.129.15',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2a00:1450:4001:829::200e',
    '2000::1',
    '2001:200::1',
    '3ffe:ffff::1',
    '::ffff:1.1.1.1',
    '0:0:0:0:0:ffff:101:101',
    '64:ff9b::1.1.1.1',
    '64:ff9b::101:101',
  ])('%s is the public internet', (address) => {
    expect(withoutGrants(address)).toBe(true);
  });

  test.each([
    ['this network', ['0.0.0.0', '0.0.0.1', '0.255.255.255']],
    ['loopback', ['127.0.0.1', '127.0.0.53', '127.1.2.3', '127.255.255.255', '::1', '0:0:0:0:0:0:0:1']],
    ['private', ['10.0.0.0', '10.255.255.255', '172.16.0.0', '172.31.255.255', '192.168.0.0', '192.168.255.255']],
    ['unique local', ['fc00::1', 'fd00::1', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']],
    ['carrier-grade NAT', ['100.64.0.0', '100.127.255.255']],
    ['link-local', ['169.254.0.0', '169.254.255.255', 'fe80::1', 'fe80::1%eth0', 'febf::1', 'fec0::1']],
    [
      'a metadata service',
      [
        '169.254.169.254',
        '169.254.170.2',
        'fd00:ec2::254',
        '168.63.129.16',
        '100.100.100.200',
        '192.0.0.192',
        'fd20:ce::254',
      ],
    ],
    ['multicast or broadcast', ['224.0.0.1', '239.255.255.255', '255.255.255.255', 'ff02::1', 'ff0e::1']],
    [
      'reserved',
      ['240.0.0.1', '254.255.255.255', '192.0.0.8', '192.88.99.1', '::', '::2', '100::1', '4000::1', '5f00::1'],
    ],
    ['documentation', ['192.0.2.1', '198.51.100.1', '203.0.113.255', '2001:db8::1', '3fff::1']],
    ['benchmarking', ['198.18.0.1', '198.19.255.255', '2001:2::1']],
    [
      'IPv4-mapped',
      [
        '::ffff:127.0.0.1',
        '::ffff:7f00:1',
        '0:0:0:0:0:FFFF:7F00:0001',
        '::ffff:169.254.169.254',
        '::ffff:a9fe:a9fe',
        '::ffff:10.0.0.1',
        '::ffff:0.0.0.0',
      ],
    ],
    [
      'IPv4-compatible or translated',
      ['::127.0.0.1', '::7f00:1', '::1.1.1.1', '::ffff:0:127.0.0.1', '::ffff:0:1.1.1.1'],
    ],
    [
      'NAT64 of what is not public',
      ['64:ff9b::127.0.0.1', '64:ff9b::a9fe:a9fe', '64:ff9b::10.1.2.3', '64:ff9b:1::1.1.1.1', '64:ff9b:0:0:1::101:101'],
    ],
    ['6to4', ['2002:7f00:1::1', '2002:a9fe:a9fe::', '2002:a00:1::1', '2002:101:101::1']],
    ['Teredo', ['2001:0:4136:e378:8000:63bf:3fff:fdd2', '2001::1']],
    [
      'no address',
      ['', 'localhost', '127.1', '2130706433', '0x7f000001', '127.0.0.1:80', '[::1]', '1.1.1.1 ', '1.1.1.1/32'],
    ],
  ])('%s is refused', (_, addresses) => {
    expect(addresses.filter(withoutGrants)).toEqual([]);
  });
});

describe('with a grant', () => {
  test('a network is granted, and nothing beside it', () => {
    const isPermitted = granting('10.1.0.0/16', 'fd00:1::/32', '127.0.0.1');
    expect(['10.1.0.0', '10.1.255.255', 'fd00:1::5', '127.0.0.1', '1.1.1.1'].filter(isPermitted)).toHaveLength(5);
    expect(
      ['10.0.255.255', '10.2.0.0', 'fd00:2::5', '127.0.0.2', '169.254.169.254', '::1'].filter(isPermitted),
    ).toEqual([]);
  });

  test('an IPv4-mapped address is the IPv4 address that it maps, and no other', () => {
    const isPermitted = granting('127.0.0.1/32');
    expect(isPermitted('::ffff:127.0.0.1')).toBe(true);
    expect(isPermitted('::ffff:127.0.0.2')).toBe(false);
  });

  test.each(['::1/64', '::/1', '::/80'])('an IPv6 network, %s, grants no IPv4 address', (range) => {
    const isPermitted = granting(range);
    expect(isPermitted('::1')).toBe(true);
    const addresses = ['127.0.0.1', '10.0.0.1', '169.254.169.254', '::ffff:169.254.169.254', '::ffff:10.0.0.1'];
    expect(addresses.filter(isPermitted)).toEqual([]);
  });

  test('a link-local address has its zone beside it', () => {
    expect(granting('fe80::/10')('fe80::1%eth0')).toBe(true);
  });

  test('the forms that have an IPv4 address in them are granted as what they are', () => {
    expect(granting('10.0.0.0/8')('64:ff9b::10.0.0.1')).toBe(false);
    expect(granting('64:ff9b::/96')('64:ff9b::10.0.0.1')).toBe(true);
    expect(granting('10.0.0.0/8')('2002:a00:1::1')).toBe(false);
  });
});
