import type { Hosting } from '../../src/broker/hosting.ts';
import type { Service } from '../../src/service.ts';

/** What the service tells the hosts of components. It is there wherever the service gives anything to components. */
export function hostingOf({ hosting }: Service): Hosting {
  if (hosting === null) throw new Error('this service serves no components');
  return hosting;
}
