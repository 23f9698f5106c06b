import { createGcpExchanger } from '../../src/exchange/gcp.ts';
import {
  FEDERATED_TOKEN,
  federatedTokenJson,
  SERVICE_ACCOUNT_TOKEN,
  serviceAccountTokenJson,
} from '../fakes/scripted-google.ts';
import { startScriptedUpstream } from '../fakes/scripted-upstream.ts';
import { FEDERATED_GRANT, IMPERSONATING_GRANT } from '../support/cloud-grants.ts';
import { describeFaults } from '../support/exchange-faults.ts';

const contentType = 'application/json; charset=UTF-8';

describeFaults(
  'Google Cloud, token exchange',
  async (url, deps) => {
    const exchanger = createGcpExchanger({ ...deps, stsEndpoint: url });
    return (svid, signal) => exchanger.exchange(svid, FEDERATED_GRANT, { signal });
  },
  { good: { contentType, body: federatedTokenJson() }, secrets: [FEDERATED_TOKEN] },
);

describeFaults(
  'Google Cloud, impersonation',
  async (url, deps) => {
    const good = { contentType, body: federatedTokenJson() };
    const sts = await startScriptedUpstream(good);
    sts.onRequest = () => ({ status: 200, body: good.body });
    const exchanger = createGcpExchanger({ ...deps, stsEndpoint: sts.url, iamEndpoint: url });
    return (svid, signal) => exchanger.exchange(svid, IMPERSONATING_GRANT, { signal });
  },
  { good: { contentType, body: serviceAccountTokenJson() }, secrets: [FEDERATED_TOKEN, SERVICE_ACCOUNT_TOKEN] },
);
