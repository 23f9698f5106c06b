import { Agent, request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeToken } from '../fakes/broker.ts';
import { whoAmI } from '../fakes/who-am-i.ts';
import { type ComponentFront, startFront } from '../support/component-front.ts';
import { createTestHost } from '../support/components.ts';

/** How many requests are made all in all, and how many at a time of each component. */
const REQUESTS = 10_000;
const AT_A_TIME = 8;

/** Two of the same bytes, and one of others. */
const NAMES = ['api', 'ledger', 'other'] as const;

const { host, broker, load, written } = createTestHost({ limits: { instances: 1 } });
const fronts = new Map<string, ComponentFront>();
const agent = new Agent({ keepAlive: true });

beforeAll(async () => {
  const bytes = await whoAmI();
  // A custom section more (component model, binary format): other bytes, and the same behaviour.
  const others = Buffer.concat([bytes, Buffer.from([0x00, 0x02, 0x01, 0x78])]);
  for (const name of NAMES)
    fronts.set(name, await startFront(name, await load(name, name === 'other' ? others : bytes)));
});
afterAll(async () => {
  agent.destroy();
  await host.close();
  await Promise.all([...fronts.values()].map((front) => front.close()));
});

/** Asks who it is, with a marker in a header and in the body. */
function askOne(name: string, marker: string, body: string): Promise<string> {
  const port = new URL(fronts.get(name)?.url ?? '').port;
  return new Promise((resolve, reject) => {
    const options = {
      agent,
      port,
      host: '127.0.0.1',
      method: 'POST',
      path: '/',
      headers: { 'X-Marker': marker },
    };
    const outgoing = request(options, (response) => {
      let text = '';
      response.setEncoding('latin1');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

test('10,000 requests to three components at once: none ever sees anything of another', async () => {
  let next = 0;
  const wrong: string[] = [];
  async function askOn(name: string): Promise<void> {
    while (next < REQUESTS) {
      next += 1;
      const marker = `${name}-${next}`;
      const body = `${marker} `.repeat(1 + (next % 50));
      const answer = await askOne(name, marker, body);
      // Its counters begin anew, the token is its own and for this request, as are header and body.
      if (answer !== `11\n${fakeToken(name, [marker])}\n${marker}\n${body}`) wrong.push(`${marker}: ${answer}`);
    }
  }
  await Promise.all(NAMES.flatMap((name) => Array.from({ length: AT_A_TIME }, () => askOn(name))));

  expect(wrong).toEqual([]);
  expect(broker.asked).toHaveLength(REQUESTS);
  expect(broker.asked.filter(({ caller, audience }) => !audience?.[0].startsWith(`${caller.component}-`))).toEqual([]);
  expect(written).toHaveLength(REQUESTS);
  expect(written.filter(({ component, line }) => !line.startsWith(`${component}-`))).toEqual([]);
  expect(new Set(written.map(({ line }) => line)).size).toBe(REQUESTS);
}, 120_000);
