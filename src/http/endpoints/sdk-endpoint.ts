import type { ServerResponse } from 'node:http';
import type { SvidxError } from '../../base/errors.ts';
import type { SessionBroker } from '../../broker/session-broker.ts';
import type { Session } from '../../broker/sessions.ts';

/** The way in which one vendor's SDKs ask for credentials. */
export interface SdkEndpoint {
  /** What its paths begin with. */
  readonly prefix: string;
  /** The header that the session's secret arrives in, in lower case. */
  readonly secretHeader: string;
  /** The secret in that header; `undefined` where it is written in another way. */
  secretOf(header: string): string | undefined;
  /**
   * The body of a good answer.
   * @param path what follows the prefix, as it was sent: nothing in it is decoded
   * @param query what follows the first `?`; `undefined` where there is none
   * @throws SvidxError `not_found`, `request_invalid`, or what the broker throws
   */
  answer(broker: SessionBroker, session: Session, path: string, query: string | undefined): Promise<object>;
  /** Sends an error as these SDKs expect one. */
  sendError(response: ServerResponse, error: SvidxError): void;
}

/** Grants as policies name them. Nothing is decoded, so that no two paths are read as one name. */
export const GRANT_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
