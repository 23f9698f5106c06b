/** The fields of a request, an answer or their trailers, in order; names in any case, values as they are sent. */
export type Fields = readonly (readonly [name: string, value: Uint8Array])[];

/** A request as a component has made it; nothing of it is checked. */
export interface OutgoingRequest {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** A host, and perhaps a port. */
  readonly authority: string;
  /** From the first slash on. Empty for `/`. */
  readonly pathWithQuery: string;
  readonly headers: Fields;
  /** `undefined` for none. It is read once, and not further than the connection takes it. */
  readonly body: AsyncIterable<Uint8Array> | undefined;
  /** What follows the body; asked for when that is at its end. */
  trailers(): Promise<Fields | undefined>;
  /** How long name, connection and TLS may take together. Milliseconds; `undefined` for the default. */
  readonly connectTimeoutMs: number | undefined;
  /** How long the head of the answer may take once the request is sent. */
  readonly firstByteTimeoutMs: number | undefined;
  /** How long the far side may take to send a next part of the answer, or to take a next part of the request. */
  readonly betweenBytesTimeoutMs: number | undefined;
}

/** An answer. It holds a connection until its body is read to the end, or given up, or the request's signal is aborted. */
export interface IncomingResponse {
  /** 200 to 999; redirects are answers like others. */
  readonly status: number;
  readonly headers: Fields;
  /**
   * Read once, as it arrives and no faster than it is asked for; as it was sent, without its transfer coding but with its
   * content coding. Throws `EgressError`, or the signal's reason.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** What followed the body, once that is read to its end; `undefined` for nothing. Throws what the body throws. */
  trailers(): Promise<Fields | undefined>;
}
