import { createSecureContext } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { openConnection } from '../../../src/component/egress/connect.ts';
import { createFakeClock } from '../../fakes/clock.ts';
import { openEgressWorld } from '../../support/egress.ts';
import { startFarSide, startRawFarSide } from '../../support/far-side.ts';

const PROHIBITED = { tag: 'destination-IP-prohibited' };

describe('a name is granted, and resolves to', () => {
  test.each([
    ['loopback', ['127.0.0.1']],
    ['loopback of IPv6', ['::1']],
    ['loopback as IPv4-mapped IPv6', ['::ffff:127.0.0.1']],
    ['the same, in hexadecimal', ['::ffff:7f00:1']],
    ['loopback as IPv4-compatible IPv6', ['::127.0.0.1']],
    ['all addresses', ['0.0.0.0']],
    ['all addresses of IPv6', ['::']],
    ['the metadata service', ['169.254.169.254']],
    ['the metadata service as IPv4-mapped IPv6', ['::ffff:169.254.169.254']],
    ['the metadata service behind NAT64', ['64:ff9b::a9fe:a9fe']],
    ['the metadata service of AWS over IPv6', ['fd00:ec2::254']],
    ['the wire server of Azure', ['168.63.129.16']],
    ['the metadata service of Alibaba Cloud', ['100.100.100.200']],
    ['a private address', ['10.0.0.1']],
    ['several that are all refused', ['127.0.0.1', '::1', '169.254.169.254', '192.168.1.1']],
    ['nothing', []],
    ['something that is no address', ['localhost', '127.0.0.1:80', '']],
  ])('%s: refused, and nothing is connected to', async (_, addresses) => {
    const farSide = await startFarSide();
    const world = openEgressWorld({
      policy: `egress: ['http://api.test:${farSide.port}']`,
      names: { 'api.test': addresses },
    });
    expect(await world.refusal({ authority: `api.test:${farSide.port}` })).toEqual(PROHIBITED);
    expect(farSide.connections).toBe(0);
    expect(world.lookups).toEqual(['api.test']);
  });
});

test('localhost is a name like others', async () => {
  const farSide = await startFarSide();
  const world = openEgressWorld({
    policy: `egress: ['http://localhost:${farSide.port}']`,
    names: { localhost: ['127.0.0.1'] },
  });
  expect(await world.refusal({ authority: `localhost:${farSide.port}` })).toEqual(PROHIBITED);
  world.setPolicy(`egress: [{ url: 'http://localhost:${farSide.port}', addresses: [127.0.0.1/32] }]`);
  expect(await world.send({ authority: `localhost:${farSide.port}` })).toMatchObject({ text: 'hello' });
});

test('the networks of one rule are not those of another', async () => {
  const farSide = await startFarSide();
  const world = openEgressWorld({
    policy: `egress: [{ url: 'http://one.test:${farSide.port}', addresses: [127.0.0.1/32] }, 'http://two.test:${farSide.port}']`,
    names: { 'one.test': ['127.0.0.1'], 'two.test': ['127.0.0.1'] },
  });
  await world.send({ authority: `one.test:${farSide.port}` });
  expect(await world.refusal({ authority: `two.test:${farSide.port}` })).toEqual(PROHIBITED);
  expect(farSide.connections).toBe(1);
});

test('of several addresses, those that are not permitted are left out', async () => {
  const farSide = await startFarSide();
  const refused = await startFarSide({ host: '127.0.0.2', port: farSide.port });
  const world = openEgressWorld({
    policy: `egress: [{ url: 'http://api.test:${farSide.port}', addresses: [127.0.0.1/32] }]`,
    names: { 'api.test': ['127.0.0.2', '169.254.169.254', '::ffff:127.0.0.2', '127.0.0.1'] },
  });
  expect(await world.send({ authority: `api.test:${farSide.port}` })).toMatchObject({ text: 'hello' });
  expect([farSide.connections, refused.connections]).toEqual([1, 0]);
});

test('of several permitted addresses, one that answers is enough', async () => {
  const farSide = await startFarSide();
  const world = openEgressWorld({
    policy: `egress: [{ url: 'http://api.test:${farSide.port}', addresses: [127.0.0.0/8] }]`,
    names: { 'api.test': ['127.0.0.3', '127.0.0.1'] },
  });
  expect(await world.send({ authority: `api.test:${farSide.port}` })).toMatchObject({ text: 'hello' });
});

test('a name is resolved once for each request: what it gives later is checked again (DNS rebinding)', async () => {
  const farSide = await startFarSide();
  const inside = await startFarSide({ host: '127.0.0.2', port: farSide.port });
  const world = openEgressWorld({
    policy: `egress: [{ url: 'http://api.test:${farSide.port}', addresses: [127.0.0.1/32] }]`,
    names: { 'api.test': ['127.0.0.1'] },
  });
  const request = { authority: `api.test:${farSide.port}` };
  await world.send(request);
  expect(world.lookups).toHaveLength(1);
  world.names['api.test'] = ['127.0.0.2'];
  expect(await world.refusal(request)).toEqual(PROHIBITED);
  expect([farSide.connections, inside.connections]).toEqual([1, 0]);
});

test('where the connection has gone is checked once more', async () => {
  const farSide = await startRawFarSide(() => {});
  const checked: string[] = [];
  const connection = openConnection(
    {
      target: { scheme: 'http', host: 'api.test', port: farSide.port },
      isPermitted: (address) => checked.push(address) === 1,
      lookup: async () => ['127.0.0.1'],
      secureContext: createSecureContext,
      clock: systemClock,
      timeoutMs: 10_000,
    },
    new AbortController().signal,
  );
  await expect(connection).rejects.toMatchObject({ errorCode: PROHIBITED });
  expect(checked).toEqual(['127.0.0.1', '127.0.0.1']);
  await farSide.closed;
  expect(farSide.received).toBe('');
});

describe('what does not come to a connection', () => {
  test('a name that there is not', async () => {
    const world = openEgressWorld({ policy: "egress: ['http://api.test']" });
    expect(await world.refusal({})).toEqual({ tag: 'DNS-error', val: { rcode: 'NXDOMAIN', infoCode: undefined } });
  });

  test('a port where nobody listens', async () => {
    const world = openEgressWorld({ policy: "egress: ['http://127.0.0.1:1']" });
    expect(await world.refusal({ authority: '127.0.0.1:1' })).toEqual({ tag: 'connection-refused' });
  });

  test('a name that is not resolved in time', async () => {
    const clock = createFakeClock();
    const connection = openConnection(
      {
        target: { scheme: 'http', host: 'api.test', port: 80 },
        isPermitted: () => true,
        lookup: () => new Promise(() => {}),
        secureContext: createSecureContext,
        clock,
        timeoutMs: 5_000,
      },
      new AbortController().signal,
    );
    const refused = expect(connection).rejects.toMatchObject({ errorCode: { tag: 'DNS-timeout' } });
    await clock.advance(5_000);
    await refused;
    expect(clock.timers).toBe(0);
  });

  test('a request that is aborted while its name is resolved', async () => {
    const abort = new AbortController();
    const connection = openConnection(
      {
        target: { scheme: 'http', host: 'api.test', port: 80 },
        isPermitted: () => true,
        lookup: () => new Promise(() => {}),
        secureContext: createSecureContext,
        clock: createFakeClock(),
        timeoutMs: 5_000,
      },
      abort.signal,
    );
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(connection).rejects.toBe(reason);
  });
});
