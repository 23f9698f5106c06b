import { createAzureExchanger } from '../../src/exchange/azure.ts';
import { ENTRA_ACCESS_TOKEN, entraTokenJson } from '../fakes/scripted-entra.ts';
import { blobsGrant } from '../support/cloud-grants.ts';
import { describeFaults } from '../support/exchange-faults.ts';

describeFaults(
  'Azure',
  async (url, deps) => {
    const exchanger = createAzureExchanger(deps);
    return (svid, signal) => exchanger.exchange(svid, blobsGrant(url), { signal });
  },
  {
    good: { contentType: 'application/json; charset=utf-8', body: entraTokenJson() },
    secrets: [ENTRA_ACCESS_TOKEN],
  },
);
