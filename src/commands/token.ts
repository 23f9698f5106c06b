import { SvidxError } from '../base/errors.ts';
import { tokenFields } from '../http/broker-wire.ts';
import { parseAudience } from '../spiffe/audience.ts';
import { brokerAt } from './socket-client.ts';
import type { Terminal } from './terminal.ts';

export interface TokenOptions {
  readonly component: string;
  readonly audience: readonly string[];
  readonly socket: string;
  readonly json?: true;
}

/** `svidx token`: asks the running service for a JWT-SVID and prints it. */
export async function token(terminal: Terminal, options: TokenOptions): Promise<void> {
  const audience = parseAudience(options.audience);
  if (audience === undefined) throw new SvidxError('usage_invalid', '--audience: expected a text that is not empty');
  const svid = await brokerAt(options.socket).identity({ component: options.component }, audience);
  terminal.print(options.json ? JSON.stringify(tokenFields(svid)) : svid.token.reveal());
}
