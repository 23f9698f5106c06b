import { median, type Row } from '../row.ts';
import { connectUpstream } from '../upstream.ts';

const ROUNDS = 301;

/** A cold exchange through the broker, against the SPIRE call and the STS call alone. */
export async function coldExchange(): Promise<Row[]> {
  const { policy, grant, svids, exchanger, newBroker, close } = await connectUpstream();
  const { signal } = new AbortController();
  const direct: number[] = [];
  const brokered: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const broker = newBroker({ svids, exchanger });
    const first = performance.now();
    await exchanger.exchange(await svids.fetchJwtSvid(policy, [grant.audience], signal), grant, { signal });
    const second = performance.now();
    await broker.credentials({ component: 'c0' }, 'models');
    const third = performance.now();
    direct.push(second - first);
    brokered.push(third - second);
  }
  await close();
  const ratio = median(brokered) / median(direct);
  return [
    {
      what: 'cold exchange, median of one',
      measured: `${median(brokered).toFixed(2)} ms`,
      against: `SPIRE call + STS call ${median(direct).toFixed(2)} ms`,
      ratio,
      target: '<= 1.1',
      met: ratio <= 1.1,
    },
  ];
}
