import { readFile } from 'node:fs/promises';
import { systemClock } from '../../src/base/clock.ts';
import { SvidxError } from '../../src/base/errors.ts';
import { createCompileCache } from '../../src/component/compile-cache.ts';
import { openCompileFolder } from '../../src/component/compile-folder.ts';
import { createMemoryLog } from '../fakes/log.ts';

/** A program: compiles the component in a file, with a folder for what is compiled, and prints what it exports and warns of. */
const [, , file = '', path = ''] = process.argv;
const log = createMemoryLog();
const folder = await openCompileFolder({ path, logger: log.logger });
const cache = createCompileCache({ clock: systemClock, folder });
const { functions } = await cache.compile(await readFile(file), { memoryBytes: 2 ** 24 });
await cache.close(new SvidxError('service_stopping', 'done'));
process.stdout.write(JSON.stringify({ functions, warnings: log.lines }));
