import type { Socket } from 'node:net';
import { CallCredentials, ChannelCredentials } from '@grpc/grpc-js';

/** How long whoever accepts a connection may take to say the first byte. Milliseconds. */
export const MAX_GREETING_MS = 5_000;

/** How far the conversation with the agent was at some moment. */
export interface Mark {
  readonly socket: Socket | undefined;
  readonly bytesRead: number;
}

/**
 * A connection without TLS, as `credentials.createInsecure()` makes one, that is cut when nobody is at its other end.
 *
 * gRPC for Node waits for ever for the first byte of whoever accepts a connection, and asks one that has gone silent
 * nothing unless told to ping, which SPIRE's agent allows only every five minutes (grpc-go, keepalive.EnforcementPolicy,
 * MinTime): too rarely to be of use here. So we look at what arrives. A live agent answers the frames of a request within
 * moments, however long the call itself takes, because grpc-go measures each connection with a ping of its own when data
 * arrives (grpc-go, internal/transport/bdp_estimator.go). Cutting is safe even where it is wrong: the next call connects
 * anew. (Bundle streams are silent for hours; they are renewed from time to time, see `createBundleStream`.)
 */
export class WatchedCredentials extends ChannelCredentials {
  #socket: Socket | undefined;

  /** Where the conversation is now; to be taken when something is asked. */
  mark(): Mark {
    return { socket: this.#socket, bytesRead: this.#socket?.bytesRead ?? 0 };
  }

  /** Cuts the connection if not one byte has come on it since that moment. */
  cutIfSilentSince({ socket, bytesRead }: Mark): void {
    if (socket !== undefined && socket === this.#socket && socket.bytesRead === bytesRead) socket.destroy();
  }

  override _isSecure(): boolean {
    return false;
  }

  override _equals(other: ChannelCredentials): boolean {
    return other === this;
  }

  override _createSecureConnector(): ReturnType<ChannelCredentials['_createSecureConnector']> {
    const callCredentials = CallCredentials.createEmpty();
    return {
      connect: async (socket) => {
        this.#socket = socket;
        expectGreeting(socket);
        return { socket, secure: false };
      },
      waitForReady: async () => {},
      getCallCredentials: () => callCredentials,
      destroy: () => {},
    };
  }
}

function expectGreeting(socket: Socket): void {
  // By the real clock, as everything in gRPC.
  const timer = setTimeout(() => {
    if (socket.bytesRead === 0) socket.destroy();
  }, MAX_GREETING_MS);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}
