/** The WASI interfaces that a component host puts something behind only where a policy says so. */
export const WASI_INTERFACES = ['clocks', 'random', 'stdio'] as const;

export type WasiInterface = (typeof WASI_INTERFACES)[number];
