import type { JwtSvid } from '../spiffe/jwt-svid.ts';

/** The paths of the private socket's interface. */
export const BROKER_PATHS = { token: '/v1/token', credentials: '/v1/credentials', injected: '/v1/injected' } as const;

/** Where a socket with the SPIFFE Workload API is opened: see `workload-app.ts`. */
export const WORKLOAD_API_PATH = '/v1/workload-api';

/** Where the socket is, as `SPIFFE_ENDPOINT_SOCKET` has it. */
export interface WorkloadApiFields {
  readonly endpoint: string;
}

/** Where the JWT-SVID of a grant is had for a file. */
export const TOKEN_FILE_PATH = '/v1/token-file';

/** A JWT-SVID in the clear, for a file. */
export interface TokenFileFields {
  /** The variable that names the file, and the others that go with it. */
  readonly file: string;
  readonly others: Readonly<Record<string, string>>;
  /** ISO 8601 in UTC. */
  readonly expiresAt: string;
  readonly token: string;
}

/** Where sessions are opened there; each has a path below. */
export const SESSIONS_PATH = '/v1/sessions';

/** A JWT-SVID in the clear, as the private socket and `svidx token --json` have it. */
export interface TokenFields {
  readonly spiffeId: string;
  readonly audience: readonly string[];
  /** ISO 8601 in UTC. */
  readonly expiresAt: string;
  readonly token: string;
}

/** A JWT-SVID with its token in the clear, for a serializer. */
export function tokenFields(svid: JwtSvid): TokenFields {
  return {
    spiffeId: svid.spiffeId.toString(),
    audience: svid.audience,
    expiresAt: new Date(svid.expiresAt).toISOString(),
    token: svid.token.reveal(),
  };
}
