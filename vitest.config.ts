import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/build-components.ts'],
    // Processes, not threads: the component host has worker threads of its own.
    pool: 'forks',
    // One process after another would load the same modules three hundred times; none of ours keeps anything in itself.
    isolate: false,
    // Much of the time goes by waiting for processes and sockets: no core is left to wait alone.
    maxWorkers: '100%',
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Not the developer's: a test that needs a variable sets it itself.
    env: { SPIRE_ADMIN_ENDPOINT_SOCKET: '', SVIDX_SOCKET: '', NO_COLOR: '1' },
  },
});
