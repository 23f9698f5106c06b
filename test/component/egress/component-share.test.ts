import { describe, expect, test } from 'vitest';
import { createShares } from '../../../src/component/egress/component-share.ts';
import { openEgressWorld } from '../../support/egress.ts';
import { eventually } from '../../support/eventually.ts';
import { startFarSide } from '../../support/far-side.ts';

const TOO_MUCH = expect.objectContaining({ errorCode: { tag: 'connection-limit-reached' } });

test('a component has so many requests at a time, and its neighbours have theirs', () => {
  const take = createShares({ maxRequests: 2, maxHeldBytes: 10 });
  const first = take('a');
  take('a');
  expect(() => take('a')).toThrow(TOO_MUCH);
  take('b');
  first.release();
  first.release();
  take('a');
  expect(() => take('a')).toThrow(TOO_MUCH);
});

test('its requests hold so much together, and give it back as a whole', () => {
  const take = createShares({ maxRequests: 9, maxHeldBytes: 10 });
  const [first, second] = [take('a'), take('a')];
  first.hold(4);
  first.hold(3);
  second.hold(3);
  expect(() => second.hold(1)).toThrow(TOO_MUCH);
  take('b').hold(10);
  first.release();
  second.hold(7);
  expect(() => second.hold(1)).toThrow(TOO_MUCH);
  second.release();
  take('a').hold(10);
});

describe('128 requests of one component are under way at most', () => {
  test('answers that go on count; one that is given up makes room', async () => {
    const farSide = await startFarSide();
    farSide.answer = (_, response) => void response.write('hello');
    const world = openEgressWorld({ policy: `egress: ['http://127.0.0.1:${farSide.port}']` });
    const request = { authority: `127.0.0.1:${farSide.port}` };
    const abort = new AbortController();
    const open = await Promise.all(Array.from({ length: 128 }, () => world.open(request, abort.signal)));
    expect(await world.refusal(request)).toEqual({ tag: 'connection-limit-reached' });
    expect(farSide.connections).toBe(128);
    for await (const _ of open[0]?.body ?? []) break;
    const again = await eventually(() => world.open(request, abort.signal));
    expect(again.status).toBe(200);
    expect(await world.refusal(request)).toEqual({ tag: 'connection-limit-reached' });
    abort.abort();
  });

  test('those that failed do not count', async () => {
    const farSide = await startFarSide();
    const world = openEgressWorld({ policy: `egress: ['http://127.0.0.1:${farSide.port}']` });
    const request = { authority: `127.0.0.1:${farSide.port}` };
    for (let count = 0; count < 200; count += 1) await world.refusal({ ...request, method: 'CONNECT' });
    for (let count = 0; count < 200; count += 1) await world.refusal({ authority: '127.0.0.1:1' });
    expect(await world.send(request)).toMatchObject({ status: 200 });
  });
});
