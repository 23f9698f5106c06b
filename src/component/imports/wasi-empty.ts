/** Host interfaces as `jco` takes them: by interface name without version, then by JavaScript name. */
export type ImportObject = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** A resource of which no handle is ever given out, so none of its methods can be called. */
function unreachableResource(): unknown {
  return class Unreachable {};
}

/** `wasi:sockets/network.network`: a handle that opens nothing, since every function that takes one refuses. */
class Network {}

/** Throws the case of a WIT error enum, which `jco` hands to the component as the `err` of a result. */
function refuse(errorCode: string): () => never {
  return () => {
    throw errorCode;
  };
}

/**
 * What toolchains import out of habit: there, so that ordinary components load, and empty. No folders, no network.
 *
 * WASI 0.2 (github.com/WebAssembly/WASI, wasip2).
 */
export const EMPTY_WASI: ImportObject = {
  'wasi:filesystem/preopens': { getDirectories: () => [] },
  'wasi:filesystem/types': {
    Descriptor: unreachableResource(),
    DirectoryEntryStream: unreachableResource(),
    filesystemErrorCode: () => undefined,
  },

  'wasi:sockets/network': { Network, networkErrorCode: () => undefined },
  'wasi:sockets/instance-network': { instanceNetwork: () => new Network() },
  'wasi:sockets/ip-name-lookup': {
    ResolveAddressStream: unreachableResource(),
    resolveAddresses: refuse('access-denied'),
  },
  'wasi:sockets/tcp': { TcpSocket: unreachableResource() },
  'wasi:sockets/tcp-create-socket': { createTcpSocket: refuse('access-denied') },
  'wasi:sockets/udp': {
    UdpSocket: unreachableResource(),
    IncomingDatagramStream: unreachableResource(),
    OutgoingDatagramStream: unreachableResource(),
  },
  'wasi:sockets/udp-create-socket': { createUdpSocket: refuse('access-denied') },
};
