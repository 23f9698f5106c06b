import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { Kafka } from 'kafkajs';
import { kafkaConfig } from './kafka-config.ts';

/**
 * Sends three messages to a topic of a Kafka cluster and receives them back, without a password or a key of its own.
 * README.md beside this file says what the brokers must know.
 */

const { values } = parseArgs({
  options: {
    socket: { type: 'string', default: process.env['SVIDX_SOCKET'] ?? '/run/svidx/broker.sock' },
    component: { type: 'string', default: 'orders' },
    audience: { type: 'string', default: 'kafka.wasmcloud.dev' },
    brokers: { type: 'string', default: '127.0.0.1:9092' },
    topic: { type: 'string', default: 'orders' },
    group: { type: 'string', default: 'orders' },
    plaintext: { type: 'boolean', default: false },
  },
});
const { topic } = values;

const kafka = new Kafka(kafkaConfig({ ...values, brokers: values.brokers.split(',') }));
const producer = kafka.producer();
const consumer = kafka.consumer({ groupId: values.group });

const run = randomUUID();
const messages = ['accepted', 'paid', 'shipped'].map((state) => ({ key: run, value: state }));
try {
  await producer.connect();
  await producer.send({ topic, messages });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  for (const line of await receive(messages.length)) process.stdout.write(`${line}\n`);
} catch (error) {
  process.stderr.write(`${error}\n`);
  process.exitCode = 1;
} finally {
  await Promise.all([consumer.disconnect(), producer.disconnect()]);
}

/** Waits for this many messages of this run. The topic may hold others as well. */
function receive(count: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const received: string[] = [];
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    consumer
      .run({
        async eachMessage({ partition, message: { key, offset, value } }) {
          if (key?.toString() !== run) return;
          received.push(`${topic}[${partition}]@${offset}: ${value}`);
          if (received.length === count) resolve(received);
        },
      })
      .catch(reject);
  });
}
