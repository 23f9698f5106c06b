import { createServer } from 'node:http';

/** The limit: `node:http` sending fixed bytes. Arguments: the bytes in base64, and a socket path for a unix socket. */
const [bytes = '', socketPath] = process.argv.slice(2);
const body = Buffer.from(bytes, 'base64');
const server = createServer((_request, response) => {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length });
  response.end(body);
});
server.listen(socketPath === undefined ? { host: '127.0.0.1', port: 0 } : { path: socketPath }, () => {
  const address = server.address();
  process.send?.({ url: typeof address === 'object' ? `http://127.0.0.1:${address?.port}` : socketPath });
});
process.once('SIGTERM', () => process.exit(0));
