import { createAwsExchanger } from '../../src/exchange/aws.ts';
import { credentialsXml, STS_CREDENTIALS } from '../fakes/scripted-sts.ts';
import { MODELS_GRANT } from '../support/exchange.ts';
import { describeFaults } from '../support/exchange-faults.ts';

describeFaults(
  'AWS',
  async (url, deps) => {
    const exchanger = createAwsExchanger({ ...deps, endpoint: url });
    return (svid, signal) => exchanger.exchange(svid, MODELS_GRANT, { signal });
  },
  {
    good: { contentType: 'text/xml', body: credentialsXml() },
    secrets: [STS_CREDENTIALS.SecretAccessKey, STS_CREDENTIALS.SessionToken],
    connectionOfSdk: true,
  },
);
