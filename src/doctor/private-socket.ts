import { lstat } from 'node:fs/promises';
import { request } from 'node:http';
import { isErrorCode } from '../base/errors.ts';
import { isJsonObject, parseJson } from '../base/json.ts';
import type { Config } from '../config/config.ts';
import { systemErrorCode } from '../config/read-file.ts';
import { readBody } from '../http/read-body.ts';
import { type Finding, ok } from './walk.ts';
import type { World } from './world.ts';

/** An error answer of the service is far shorter. */
const MAX_ANSWER_BYTES = 16 * 1024;

/** Whether the service runs, at the private socket, which only its user may open. */
export async function lookAtPrivateSocket({ brokerSocket }: Config, world: World): Promise<Finding<undefined>> {
  const found = await lstat(brokerSocket).catch((error: unknown) => systemErrorCode(error));
  if (typeof found === 'string') return unreachable(brokerSocket, found, world.uid);
  if (!found.isSocket()) {
    return bad(`${brokerSocket} is not a socket`, 'Something else lies there: move it, or change broker.socket.');
  }
  const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
  if (mode !== '0600') {
    return bad(
      `${brokerSocket} has the mode ${mode}: who may open it may ask on behalf of every component`,
      `Take it back to what the service made, and find out who changed it:\n    chmod 0600 ${brokerSocket}`,
    );
  }
  const problem = await ask(brokerSocket, world.limitMs);
  if (problem !== undefined) return unreachable(brokerSocket, problem, world.uid);
  return ok(`the service answers at ${brokerSocket}, mode ${mode}`);
}

/**
 * Asks for a path that leads nowhere, which leaves no audit event.
 * @returns `undefined` when this service answered, else what happened
 */
function ask(socketPath: string, limitMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const outgoing = request({ socketPath, path: '/', signal: AbortSignal.timeout(limitMs) }, (response) => {
      readBody(response, MAX_ANSWER_BYTES).then(
        (body) => {
          response.destroy();
          const json = body === undefined ? undefined : parseJson(body);
          resolve(isJsonObject(json) && isErrorCode(json['code']) ? undefined : 'something else answers');
        },
        () => resolve('its answer broke off'),
      );
    });
    outgoing.on('error', (error) => resolve(isTimeout(error) ? 'no answer in time' : systemErrorCode(error)));
    outgoing.end();
  });
}

function isTimeout(error: Error): boolean {
  return error.name === 'AbortError' || error.name === 'TimeoutError';
}

function unreachable(path: string, problem: string, uid: number): Finding<never> {
  if (problem === 'EACCES') {
    return bad(`the user with uid ${uid} may not open ${path}`, 'Run this as the user that runs the service.');
  }
  if (problem === 'ENOENT' || problem === 'ECONNREFUSED') {
    return bad(`no service runs at ${path} (${problem})`, 'Start it: svidx serve -c FILE, or svidx host -c FILE.');
  }
  return bad(`no service answers at ${path} (${problem})`, 'See the log of what listens there, and restart it.');
}

function bad(saw: string, advice: string): Finding<never> {
  return { status: 'fail', saw, advice, code: 'service_unreachable' };
}
