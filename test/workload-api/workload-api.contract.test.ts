import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describeWorkloadApi } from '../contract/workload-api.contract.ts';
import { openWorkloadApi } from '../support/raw-workload.ts';
import { startWorld } from '../support/world.ts';

describeWorkloadApi('this service', async () => {
  const world = await startWorld();
  const { endpoint } = await openWorkloadApi(world.config.brokerSocket, 'api');
  return {
    endpoint,
    jwtIssuer: world.config.issuer.url,
    prepare: world.trust.authority.prepare,
    remove: () => rm(join(world.policyFolder, 'api.yaml')),
  };
});
