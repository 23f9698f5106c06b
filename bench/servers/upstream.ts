import { startBenchWorld } from '../world.ts';

/** What lies upstream of a broker: the embedded SPIRE agent, the local STS, and the issuer that it asks. */
const world = await startBenchWorld(1);
process.send?.({ spire: world.config.spireSocket, sts: world.trust.stsUrl, policies: world.config.policyFolder });
process.once('SIGTERM', () => void world.close().finally(() => process.exit(0)));
