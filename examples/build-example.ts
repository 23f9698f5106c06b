import { copyFile } from 'node:fs/promises';
import { builtExample, isExampleName } from './build-cache.ts';

/**
 * Builds one example component:
 *
 *     node examples/build-example.ts wasmpay wasmpay.wasm
 */
const [name = '', output = `${name}.wasm`] = process.argv.slice(2);
if (!isExampleName(name)) throw new Error(`there is no example component ${JSON.stringify(name)}`);
await copyFile(await builtExample(name), output);
