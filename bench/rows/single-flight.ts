import type { Row } from '../row.ts';
import { connectUpstream } from '../upstream.ts';

const CALLERS = 1000;

/** How many calls go upstream when 1,000 callers want the same credential at once and nobody has it. */
export async function singleFlight(): Promise<Row[]> {
  const { svids, exchanger, newBroker, close } = await connectUpstream();
  const calls = { mint: 0, exchange: 0 };
  const broker = newBroker({
    svids: {
      fetchJwtSvid(...args) {
        calls.mint += 1;
        return svids.fetchJwtSvid(...args);
      },
    },
    exchanger: {
      exchange(...args) {
        calls.exchange += 1;
        return exchanger.exchange(...args);
      },
    },
  });
  const started = performance.now();
  await Promise.all(Array.from({ length: CALLERS }, () => broker.credentials({ component: 'c0' }, 'models')));
  const took = performance.now() - started;
  await close();
  return [
    {
      what: '1,000 callers, one cold key, calls upstream',
      measured: `${calls.mint} mint, ${calls.exchange} exchange in ${took.toFixed(0)} ms`,
      against: '1 each',
      ratio: Math.max(calls.mint, calls.exchange),
      target: '= 1',
      met: calls.mint === 1 && calls.exchange === 1,
    },
  ];
}
