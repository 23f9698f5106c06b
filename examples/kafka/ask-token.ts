import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';

const tokenAnswer = z.object({ token: z.string() });
const errorAnswer = z.object({ code: z.string(), message: z.string() });

/**
 * Asks the running service for a JWT-SVID, over its private socket (README, "Endpoints"). The service keeps tokens for as
 * long as they are good and renews them in time, so this may be called as often as one is needed.
 * @param socket the path of the private socket; `unix:PATH`, as the ready line prints it, works as well
 * @returns the token: a secret, not for logs
 * @throws Error with the code of the service, such as `policy_denied`; or what Node says where no service answers in time
 */
export async function askToken(socket: string, component: string, audience: string): Promise<string> {
  const { status, body } = await post(socket.replace(/^unix:/, ''), { component, audience: [audience] });
  const json: unknown = JSON.parse(body);
  if (status === 200) return tokenAnswer.parse(json).token;
  const { code, message } = errorAnswer.parse(json);
  throw new Error(`${code}: ${message}`);
}

function post(socketPath: string, fields: object): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    request(
      {
        socketPath,
        path: '/v1/token',
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        // Less than kafkajs waits for an authentication; the service is on this machine.
        signal: AbortSignal.timeout(8_000),
      },
      (response) => text(response).then((body) => resolve({ status: response.statusCode, body }), reject),
    )
      .on('error', reject)
      .end(JSON.stringify(fields));
  });
}
