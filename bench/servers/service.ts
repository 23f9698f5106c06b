import { startBenchWorld } from '../world.ts';

/** The service, warm: the credentials of `c0` are in its cache. */
const world = await startBenchWorld(1);
await world.service.broker.credentials({ component: 'c0' }, 'models');
const { broker, endpoints = '' } = world.service.urls;
process.send?.({
  discovery: world.config.issuer.discoveryUrl,
  keys: world.config.issuer.keysUrl,
  socket: world.config.brokerSocket,
  endpoint: `${endpoints}/aws/models`,
  secret: await openSession(broker),
});
process.once('SIGTERM', () => void world.close().finally(() => process.exit(0)));
