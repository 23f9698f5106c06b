import { afterAll, beforeAll, describe, inject } from 'vitest';
import { type ContractWorkload, describeWorkloadApi } from '../contract/workload-api.contract.ts';
import { PROPAGATION } from '../contract/world.ts';
import { createRawWorkload } from '../support/raw-workload.ts';
import { until } from '../support/until.ts';
import { OUR_SELECTOR, type Spire, startSpire } from './support/spire.ts';

const JWT_ISSUER = 'https://oidc.example.org';

/** The workload is this very process: whoever connects is attested by its user ID. */
const ENTRY = { id: 'workload', spiffeId: 'spiffe://example.org/team/api', selectors: [OUR_SELECTOR] };

describe.skipIf(inject('spire') === undefined)('with a real SPIRE', () => {
  let spire: Spire | undefined;
  let hasIdentity = false;

  beforeAll(async () => {
    spire = await startSpire({ server: { jwt_key_type: 'ec-p256', jwt_issuer: JWT_ISSUER }, register: false });
    await spire.createEntry(ENTRY);
  });
  afterAll(async () => spire?.close());

  describeWorkloadApi('SPIRE', async (): Promise<ContractWorkload> => {
    if (spire === undefined) throw new Error('SPIRE has not been started');
    const { workloadSocket, server, deleteEntry } = spire;
    const endpoint = `unix://${workloadSocket}`;
    const api = createRawWorkload(endpoint);
    const ask = () => api.call('FetchJWTSVID', { audience: ['ready'] });
    if (!hasIdentity) await until('the entry', ask, (seen) => 'svids' in seen, PROPAGATION);
    hasIdentity = true;
    return {
      endpoint,
      jwtIssuer: JWT_ISSUER,
      async prepare() {
        const answer = JSON.parse(await server.ctl('localauthority jwt prepare', '-output', 'json'));
        return answer.prepared_authority.authority_id;
      },
      remove: () => deleteEntry(ENTRY.id),
    };
  });
});
