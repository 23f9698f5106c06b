import { readFile } from 'node:fs/promises';
import { transpileBytes } from '@bytecodealliance/jco-transpile';
import { WASIShim } from '@bytecodealliance/preview2-shim/instantiation';
import { asyncImports, createHostImports } from 'svid-exchange/host';

/**
 * A host that is not ours: a program that runs a component with `jco`, and adds identity to it in three lines. It calls the
 * component's function `claims` and prints what that returns.
 *
 *   node own-host.ts api-gateway.wasm api-gateway sts.amazonaws.com
 *
 * Needs Node 26, where WebAssembly can wait for JavaScript (JSPI), and in this repository `npm run build` before.
 */

const [file = '', component = '', audience = ''] = process.argv.slice(2);
const socket = process.env['SVIDX_SOCKET'] ?? '/run/svidx/broker.sock';

const bytes = await readFile(file);
const { files } = await transpileBytes(bytes, {
  name: 'component',
  instantiation: { tag: 'async' },
  asyncMode: 'jspi',
  asyncImports: asyncImports(['wasmcloud:identity/store@0.0.1', 'svidx:credentials/store@0.1.0']),
  asyncExports: ['claims'],
  wasiShim: false,
});

const source = Buffer.from(files['component.js'] ?? '').toString('base64');
const { instantiate } = await import(`data:text/javascript;base64,${source}`);
const { claims } = await instantiate((name: string) => WebAssembly.compile(Buffer.from(files[name] ?? '')), {
  // What the component may do of WASI is this host's to decide: no variables, no folders.
  ...new WASIShim({ sandbox: { preopens: {}, env: {}, args: [] } }).getImportObject(),
  ...createHostImports({ socket, component, bytes }),
});
process.stdout.write(`${await claims(audience)}\n`);
