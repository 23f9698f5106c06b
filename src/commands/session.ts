import { SvidxError } from '../base/errors.ts';
import { formatSession, type SessionFormat } from '../credentials/session-formats.ts';
import { sessionsAt } from './socket-client.ts';
import type { Terminal } from './terminal.ts';

export interface SessionOpenOptions {
  readonly component: string;
  readonly grant?: string;
  readonly ttl: string;
  readonly format: SessionFormat;
  readonly socket: string;
}

/** `svidx session open`: opens a session at the running service and prints what SDKs need to ask in it. */
export async function sessionOpen(terminal: Terminal, options: SessionOpenOptions): Promise<void> {
  const { component, grant, ttl, format, socket } = options;
  const sessions = sessionsAt(socket);
  const opened = await sessions.open({ component }, { grant, ttl });
  try {
    const { endpoint } = opened;
    if (endpoint === null) {
      throw new SvidxError(
        'config_invalid',
        'the service has no endpoints for SDKs: its "endpoints.listen" is not set',
      );
    }
    terminal.print(formatSession({ ...opened, endpoint }, format));
  } catch (error) {
    // Nobody has its secret.
    await sessions.revoke(opened.session);
    throw error;
  }
}

/** `svidx session revoke`: ends a session. */
export async function sessionRevoke(id: string, { socket }: { readonly socket: string }): Promise<void> {
  if (!/^[A-Za-z0-9_-]{22}$/.test(id)) throw new SvidxError('usage_invalid', 'expected the ID of a session');
  await sessionsAt(socket).revoke(id);
}
