/** For the bundler of `jco`. */
export default {
  // What the host gives is imported at run time. `wasi:` is known to `jco`.
  external: [/^(wasmcloud|svidx):/],
  // Packages come as they are for browsers, which have no `node:crypto` either.
  resolve: { conditionNames: ['browser', 'import', 'default'] },
};
