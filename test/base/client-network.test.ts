import { describe, expect, test } from 'vitest';
import { clientNetwork } from '../../src/base/client-network.ts';

describe('a client', () => {
  test.each(['192.0.2.1', '10.0.0.1', '127.0.0.1', ''])('of IPv4 is its address: %s', (address) => {
    expect(clientNetwork(address)).toBe(address);
  });

  test.each([
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::ffff', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:0:0:1::', '2001:db8:0:0::/64'],
    ['2001::1:2:3:4:5:6', '2001:0:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1::', '1:0:0:0::/64'],
    ['::2:3:4:5:6:7:8', '0:2:3:4::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ])('of IPv6 is its /64: %s', (address, network) => {
    expect(clientNetwork(address)).toBe(network);
  });

  test.each(['::ffff:192.0.2.1', '::FFFF:192.0.2.1', '::ffff:c000:201', '0:0:0:0:0:ffff:192.0.2.1'])(
    'of IPv4 that an IPv6 socket shows is the same: %s',
    (address) => {
      expect(clientNetwork(address)).toBe('192.0.2.1');
    },
  );

  test.each([
    ['another /64', '2001:db8:1:2::1', '2001:db8:1:3::1'],
    ['another /48', '2001:db8:1::1', '2001:db8:2::1'],
    ['another IPv4 address', '::ffff:192.0.2.1', '::ffff:192.0.2.2'],
    ['a mapped address and one that only ends like it', '::ffff:192.0.2.1', '::fffe:192.0.2.1'],
  ])('is not another one: %s', (_, one, other) => {
    expect(clientNetwork(one)).not.toBe(clientNetwork(other));
  });
});
