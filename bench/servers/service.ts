import { createSessionClient } from '../../src/http/session-client.ts';
import { startBenchWorld } from '../world.ts';

/** The service, warm: the credentials of `c0` are in its cache. */
const world = await startBenchWorld(1);
await world.service.broker.credentials({ component: 'c0' }, 'models');
const { endpoints = '' } = world.service.urls;
const { secret } = await createSessionClient(world.config.brokerSocket).open({ component: 'c0' });
process.send?.({
  discovery: world.config.issuer.discoveryUrl,
  keys: world.config.issuer.keysUrl,
  socket: world.config.brokerSocket,
  endpoint: `${endpoints}/aws/models`,
  secret: secret.reveal(),
});
process.once('SIGTERM', () => void world.close().finally(() => process.exit(0)));
