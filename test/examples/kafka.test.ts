import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { type Admin, Kafka, KafkaJSError, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { askToken } from '../../examples/kafka/ask-token.ts';
import { kafkaConfig } from '../../examples/kafka/kafka-config.ts';
import { type FakeKafkaBroker, startFakeKafkaBroker } from '../fakes/kafka-broker.ts';
import { type DevService, startDev } from '../support/dev.ts';
import { tempFolder } from '../support/temp.ts';

const AUDIENCE = 'kafka.wasmcloud.dev';
const ORDERS = 'spiffe://wasmcloud.dev/spiffe-in-practice/orders';

let service: DevService;
beforeAll(async () => {
  service = await startDev(['--policies', 'examples/kafka/policies']);
});
afterAll(() => service.close());

const ask = (audience: string, component = 'orders'): Promise<string> =>
  askToken(service.ready.broker, component, audience);

async function startBroker(audience: string, { sessionLifetimeMs = 3600_000 } = {}): Promise<FakeKafkaBroker> {
  return startFakeKafkaBroker({ issuer: service.ready.issuer, audience, topic: 'orders', sessionLifetimeMs });
}

/** The client of the example at this broker. It gives up at the first failure. */
async function connect(broker: FakeKafkaBroker, audience = AUDIENCE): Promise<Admin> {
  const brokers = [broker.address];
  const config = kafkaConfig({ socket: service.ready.broker, component: 'orders', audience, brokers, plaintext: true });
  const admin = new Kafka({ ...config, retry: { retries: 0 }, logLevel: logLevel.NOTHING }).admin();
  onTestFinished(() => admin.disconnect());
  await admin.connect();
  return admin;
}

describe('examples/kafka: a client with tokens from the private socket,', () => {
  test('logs in as the SPIFFE ID where the audience is the one of the broker', async () => {
    const broker = await startBroker(AUDIENCE);
    const admin = await connect(broker);
    expect(await admin.listTopics()).toEqual(['orders']);
    expect(new Set(broker.principals)).toEqual(new Set([`User:${ORDERS}`]));
  });

  test('shows a token again before the session ends, the same one while it is good', async () => {
    // So close to the end of its session the client authenticates anew before each request.
    const broker = await startBroker(AUDIENCE, { sessionLifetimeMs: 1 });
    const admin = await connect(broker);
    const before = broker.principals.length;
    await admin.listTopics();
    expect(broker.principals.length).toBeGreaterThan(before);
    expect(new Set(broker.tokens).size).toBe(1);
  });

  test('is refused by a broker of another audience', async () => {
    const broker = await startBroker('another.wasmcloud.dev');
    const refusal: unknown = await connect(broker)
      .then((admin) => admin.listTopics())
      .catch((error) => error);
    expect(refusal).toBeInstanceOf(KafkaJSError);
    expect(broker.principals).toEqual([]);
    const [token = ''] = broker.tokens;
    expect(token).toMatch(/^eyJ/);
    expect(inspect(refusal, { depth: null })).not.toContain(token);
  });

  test('does not get to the broker without a token', async () => {
    const broker = await startBroker(AUDIENCE);
    await expect(connect(broker, 'vault.wasmcloud.dev')).rejects.toThrow(/policy_denied/);
    expect(broker.tokens).toEqual([]);
  });
});

describe('examples/kafka: askToken', () => {
  test.each([
    ['an audience that is not granted', ['vault.wasmcloud.dev'], /^policy_denied: /],
    ['a component without a policy', [AUDIENCE, 'ledger'], /^policy_denied: /],
    ['an empty audience', [''], /^request_invalid: /],
  ] as const)('says the code of the service for %s', async (_name, [audience, component], message) => {
    await expect(ask(audience, component)).rejects.toThrow(message);
  });

  test('fails where no service answers', async () => {
    const nothing = join(await tempFolder(), 'broker.sock');
    await expect(askToken(nothing, 'orders', AUDIENCE)).rejects.toThrow(/ENOENT/);
  });
});

test('examples/kafka: the broker is configured for the audience that the policy grants', () => {
  const properties = readFileSync('examples/kafka/server.properties', 'utf8');
  expect(properties).toContain(`sasl.oauthbearer.expected.audience=${AUDIENCE}\n`);
});
