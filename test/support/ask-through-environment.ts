import { systemClock } from '../../src/base/clock.ts';
import { createHttpClient } from '../../src/exchange/http-client.ts';

/** A program for `http-client.test.ts`: asks both URLs, the first as exchanges do and the second as `fetch` does. */
const [, , ours = '', theirs = ''] = process.argv;
const http = createHttpClient(systemClock);
const { status } = await http({ method: 'GET', url: ours, headers: {} }, new AbortController().signal);
const fetched = await fetch(theirs);
process.stdout.write(`${JSON.stringify([status, fetched.status])}\n`);
process.exit();
