import { createServer } from 'node:http';

/**
 * The limit: `node:http` sending one fixed answer. Arguments: the body in base64, the headers as JSON, and a socket path for
 * a unix socket.
 */
const [bytes = '', headersJson = '{}', socketPath] = process.argv.slice(2);
const body = Buffer.from(bytes, 'base64');
const headers: Record<string, string> = JSON.parse(headersJson);
const server = createServer((_request, response) => {
  response.writeHead(200, headers);
  response.end(body);
});
server.listen(socketPath === undefined ? { host: '127.0.0.1', port: 0 } : { path: socketPath }, () => {
  const address = server.address();
  process.send?.({ url: typeof address === 'object' ? `http://127.0.0.1:${address?.port}` : socketPath });
});
process.once('SIGTERM', () => process.exit(0));
