import { createHash, randomBytes, randomInt } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { accountOf, type Role } from '../sts/roles.ts';
import type { IssuedCredential } from './signature.ts';

/** A credential that was handed out, and who it is. */
export interface Session extends IssuedCredential {
  readonly role: Role;
  /** Of the assumed role. */
  readonly arn: string;
  readonly userId: string;
  readonly account: string;
}

/** The sessions of the local AWS account: its STS opens them, and every other service of it knows them. */
export interface Sessions {
  /** Opens a session with a temporary key of its own. */
  open(role: Role, name: string, seconds: number): Session;
  /** An expired session is still found for a day. */
  find(accessKeyId: string): Session | undefined;
}

/** For how long an expired session is still known as such, instead of as one that never was. Milliseconds. */
const REMEMBER_EXPIRED_MS = 24 * 3600_000;

export function createSessions(clock: Clock): Sessions {
  const sessions = new Map<string, Session>();
  return {
    open(role, name, seconds) {
      const now = clock.now();
      for (const [key, { expiresAt }] of sessions) {
        if (expiresAt + REMEMBER_EXPIRED_MS <= now) sessions.delete(key);
      }
      const account = accountOf(role.arn);
      const roleName = role.arn.split('/').at(-1) ?? '';
      const session: Session = {
        role,
        // The shapes of AWS' own: ASIA is a temporary key, AROA a role (IAM user guide, unique identifiers).
        accessKeyId: `ASIA${randomText('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 16)}`,
        secretAccessKey: randomBytes(30).toString('base64'),
        sessionToken: randomBytes(264).toString('base64'),
        expiresAt: (Math.floor(now / 1000) + seconds) * 1000,
        arn: `arn:aws:sts::${account}:assumed-role/${roleName}/${name}`,
        userId: `AROA${createHash('sha256').update(role.arn).digest('hex').slice(0, 17).toUpperCase()}:${name}`,
        account,
      };
      sessions.set(session.accessKeyId, session);
      return session;
    },
    find: (accessKeyId) => sessions.get(accessKeyId),
  };
}

function randomText(alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');
}
