import { createHash } from 'node:crypto';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';

/** AWS STS: 2 to 64 characters of `[\w+=,.@-]` (AssumeRoleWithWebIdentity, RoleSessionName). */
const MAX_LENGTH = 64;

/** 132 bits of SHA-256: two IDs with the same name cannot be found. */
const HASH_LENGTH = 22;

/**
 * The name under which CloudTrail shows a SPIFFE ID: `spiffe://example.org/billing/api` is `billing=api@example.org`.
 *
 * A SPIFFE ID holds neither `=` nor `@` nor `+`, so each short enough ID has a name that no other has. A longer one
 * keeps the end of that name, which says most, and gets `+` and a hash of the whole ID.
 */
export function roleSessionName(spiffeId: SpiffeId): string {
  const readable = `${spiffeId.path.slice(1).replaceAll('/', '=')}@${spiffeId.trustDomain.name}`;
  if (readable.length <= MAX_LENGTH) return readable;
  const hash = createHash('sha256').update(spiffeId.toString()).digest('base64url').slice(0, HASH_LENGTH);
  return `${readable.slice(-(MAX_LENGTH - HASH_LENGTH - 1))}+${hash}`;
}
