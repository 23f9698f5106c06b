import { requestsPerSecond, startBare, startServer, thousands } from '../load.ts';
import type { Row } from '../row.ts';

/** Discovery and key set, on one core, against `node:http` sending the same bytes. */
export async function issuer(): Promise<Row[]> {
  const service = await startServer('service');
  const rows: Row[] = [];
  for (const name of ['discovery', 'keys'] as const) {
    const url = service.ready[name] ?? '';
    const answer = await fetch(url);
    const bare = await startBare({ headers: answer.headers, body: Buffer.from(await answer.arrayBuffer()) });
    const [ours = 0, limit = 0] = await requestsPerSecond([{ url }, { url: bare.ready['url'] ?? '' }]);
    rows.push({
      what: `${name}, requests/s on one core`,
      measured: thousands(ours),
      against: `bare node:http ${thousands(limit)}`,
      ratio: ours / limit,
      target: '>= 0.9',
      met: ours / limit >= 0.9,
    });
    await bare.stop();
  }
  await service.stop();
  return rows;
}
