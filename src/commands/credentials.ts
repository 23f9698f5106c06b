import { type CredentialFormat, formatCredentials } from '../credentials/formats.ts';
import { brokerAt } from './socket-client.ts';
import type { Terminal } from './terminal.ts';

export interface CredentialsOptions {
  readonly component: string;
  readonly format: CredentialFormat;
  readonly socket: string;
}

/** `svidx credentials`: asks the running service for the credentials of a grant and prints them. */
export async function credentials(terminal: Terminal, grant: string, options: CredentialsOptions): Promise<void> {
  const granted = await brokerAt(options.socket).credentials({ component: options.component }, grant);
  terminal.print(formatCredentials(granted, options.format));
}
