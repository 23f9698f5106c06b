import { defineConfig } from 'vitest/config';

/** `npm run test:vault`: against a Vault or OpenBao that is installed here. `npm test` runs none of this. */
export default defineConfig({
  test: {
    include: ['test/vault/**/*.vault.ts'],
    globalSetup: ['test/vault/support/find-vault.ts'],
    pool: 'forks',
    // Leases run in Vault's own time, of which a second is the least there is.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    env: { SPIRE_ADMIN_ENDPOINT_SOCKET: '', SVIDX_SOCKET: '', NO_COLOR: '1' },
  },
});
