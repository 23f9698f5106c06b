import { defineConfig } from 'vitest/config';

/** `npm run test:spire`: against a SPIRE that is installed here. `npm test` runs none of this. */
export default defineConfig({
  test: {
    include: ['test/spire/**/*.spire.ts'],
    globalSetup: ['test/spire/support/find-spire.ts'],
    pool: 'forks',
    // What is waited for takes SPIRE seconds; each wait has a shorter limit of its own, which says what it waited for.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    env: { SPIRE_ADMIN_ENDPOINT_SOCKET: '', SVIDX_SOCKET: '', NO_COLOR: '1' },
  },
});
