import { describe, expect, test } from 'vitest';
import { parseAddressRange } from '../../src/base/address-range.ts';
import { systemClock } from '../../src/base/clock.ts';
import { createClientAddress } from '../../src/http/client-address.ts';
import { listenOnTcp } from '../../src/http/listener.ts';
import { ask, askRaw } from '../support/http.ts';

const LOOPBACK = ['127.0.0.0/8', '::1'];

/** Who a request from 127.0.0.1 is said to be from. */
async function clientOf(proxies: readonly string[], ...forwarded: string[]): Promise<string> {
  const ranges = proxies.map((text) => {
    const range = parseAddressRange(text);
    if (range === undefined) throw new Error(`not a range: ${text}`);
    return range;
  });
  const clientAddress = createClientAddress(ranges);
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, systemClock);
  listener.handle((request, response) => response.end(clientAddress(request)));
  const headers = forwarded.map((value) => `X-Forwarded-For: ${value}\r\n`).join('');
  const answer = await askRaw(listener.url, `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${headers}\r\n`);
  await listener.close();
  return answer.split('\r\n\r\n')[1] ?? '';
}

describe('the client', () => {
  test('is the peer, whatever it says, unless the peer is a proxy of ours', async () => {
    expect(await clientOf([])).toBe('127.0.0.1');
    expect(await clientOf([], '192.0.2.1')).toBe('127.0.0.1');
    expect(await clientOf(['10.0.0.0/8'], '192.0.2.1')).toBe('127.0.0.1');
    expect(await clientOf(['::1', '128.0.0.0/8'], '192.0.2.1')).toBe('127.0.0.1');
  });

  test.each([
    ['the address the proxy wrote', ['192.0.2.1'], '192.0.2.1'],
    ['not what the client wrote before it', ['198.51.100.7, 192.0.2.1'], '192.0.2.1'],
    ['not what the client wrote in a header of its own', ['198.51.100.7', '192.0.2.1'], '192.0.2.1'],
    ['not a proxy on the way', ['192.0.2.1, 127.0.0.5, 127.0.0.6'], '192.0.2.1'],
    ['not a name of ours that the client made up', ['127.0.0.9, 192.0.2.1'], '192.0.2.1'],
    ['the farthest proxy where all are ours', ['127.0.0.9, 127.0.0.8'], '127.0.0.9'],
    ['an IPv6 address', ['2001:db8::1'], '2001:db8::1'],
    ['an IPv6 address in brackets', ['[2001:db8::1]'], '2001:db8::1'],
    ['an address without its port', ['192.0.2.1:5678'], '192.0.2.1'],
    ['an IPv6 address without its port', ['[2001:db8::1]:5678'], '2001:db8::1'],
    ['an address without spaces around it', ['192.0.2.7,\t 192.0.2.1  '], '192.0.2.1'],
    ['a link-local address', ['192.0.2.1, fe80::1%eth0'], 'fe80::1%eth0'],
    ['an address behind an IPv6 proxy', ['192.0.2.1, ::1'], '192.0.2.1'],
    ['an address behind a proxy as an IPv6 socket shows it', ['192.0.2.1, ::ffff:127.0.0.1'], '192.0.2.1'],
    ['the proxy, where it wrote nothing', [], '127.0.0.1'],
    ['the proxy, where it wrote an empty header', [''], '127.0.0.1'],
    ['the proxy, where it wrote no address', ['192.0.2.1, unknown'], '127.0.0.1'],
    ['the proxy, where it wrote nonsense', ['192.0.2.1, 999.1.1.1'], '127.0.0.1'],
    ['the proxy, where it wrote a zone', ['192.0.2.1, 127.0.0.1%lo'], '127.0.0.1'],
    ['the last proxy that wrote an address', ['192.0.2.1, _hidden, 127.0.0.5'], '127.0.0.5'],
  ])('behind a proxy is %s', async (_, forwarded, expected) => {
    expect(await clientOf(LOOPBACK, ...forwarded)).toBe(expected);
  });

  test('is not taken from any other header', async () => {
    const clientAddress = createClientAddress([{ address: '127.0.0.0', prefix: 8, family: 'ipv4' }]);
    const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, systemClock);
    listener.handle((request, response) => response.end(clientAddress(request)));
    const headers = { Forwarded: 'for=192.0.2.1', 'X-Real-IP': '192.0.2.1', 'X-Client-IP': '192.0.2.1' };
    expect((await ask(listener.url, { path: '/', headers })).text).toBe('127.0.0.1');
    await listener.close();
  });
});
