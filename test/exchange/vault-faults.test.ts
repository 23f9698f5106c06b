import type { VaultGrant } from '../../src/credentials/grants/vault.ts';
import { createVaultExchanger } from '../../src/exchange/vault.ts';
import { describeFaults } from '../support/exchange-faults.ts';

const TOKEN = 'hvs.CAESIJ-abcdef_0123456789';

const good = {
  contentType: 'application/json',
  body: JSON.stringify({ auth: { client_token: TOKEN, lease_duration: 1200, renewable: true, num_uses: 0 } }),
};

function describeMethod(method: VaultGrant['method']): void {
  describeFaults(
    `Vault, auth method ${method}`,
    async (url, deps) => {
      const exchanger = createVaultExchanger(deps);
      const grant: VaultGrant = {
        kind: 'vault',
        audience: 'https://vault.example.org',
        target: `${url}/v1/auth/${method}/role/api`,
        address: url,
        role: 'api',
        mount: method,
        method,
        namespace: undefined,
        caFile: undefined,
      };
      return (svid, signal) => exchanger.exchange(svid, grant, { signal });
    },
    { good, secrets: [TOKEN] },
  );
}

describeMethod('jwt');
describeMethod('spiffe');
