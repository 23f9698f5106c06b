import type { Broker } from '../../broker/broker.ts';
import type { Hosting } from '../../broker/hosting.ts';
import type { Egress } from '../component-handlers.ts';
import { EgressError } from './error-code.ts';

export function createEgress(_options: { hosting: Hosting; broker: Broker }): Egress {
  return {
    async send() {
      throw new EgressError('HTTP-request-denied', 'not yet');
    },
  };
}
