import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Config } from '../config/config.ts';
import { systemErrorCode } from '../config/read-file.ts';
import { canConnect } from '../config/socket-probe.ts';
import type { DelegatedIdentityApi } from '../identity/delegated-identity/api.ts';
import { isPermissionDenied, toIdentityError } from '../identity/delegated-identity/status.ts';
import { type FirstBundles, firstBundles } from './first-bundles.ts';
import { type Finding, failed, ok } from './walk.ts';
import type { World } from './world.ts';

/** Whether the admin socket is there, may be opened, and is answered by a SPIRE agent that speaks Delegated Identity. */
export async function lookAtAdminSocket(
  { spireSocket, spireTimeoutMs }: Config,
  api: DelegatedIdentityApi,
  world: World,
): Promise<Finding<FirstBundles>> {
  const found = await stat(spireSocket).catch((error: unknown) => systemErrorCode(error));
  if (typeof found === 'string') return notThere(spireSocket, found, world.uid);
  if (!found.isSocket()) return bad(`${spireSocket} is not a socket`, inAgentConfiguration(spireSocket));

  const limitMs = Math.min(spireTimeoutMs, world.limitMs);
  const connection = await canConnect(spireSocket, world.clock, limitMs);
  if (connection === 'ECONNREFUSED') {
    return bad(
      `nobody listens at ${spireSocket}: the file was left behind by an agent that was killed`,
      'Start spire-agent; it takes the place of the old file.',
    );
  }
  if (connection !== undefined) return notThere(spireSocket, connection, world.uid);

  const answer = await firstBundles(api, world.clock, limitMs);
  if ('bundles' in answer) return ok(`${spireSocket} answers`, answer);
  if (isPermissionDenied(answer.error)) return ok(`${spireSocket} answers, if only to refuse`, answer);
  const error = toIdentityError(answer.error);
  if (error.code === 'identity_request_rejected') {
    return failed(
      error,
      "Is it the agent's Workload API socket (socket_path)? spire.adminSocket must be the other one (admin_socket_path).",
    );
  }
  return failed(
    error,
    'What listens there takes connections and does not answer as a SPIRE agent does: see "spire-agent healthcheck" and its log.',
  );
}

async function notThere(path: string, code: string, uid: number): Promise<Finding<never>> {
  if (code === 'EACCES' || code === 'EPERM') {
    return bad(
      `the user with uid ${uid} may not open ${path} (${code})`,
      'Run this as the user that runs the service, and let that user in: SPIRE makes the socket for its own user and group\n' +
        `(mode 0770), so join that group ("stat -c %G ${path}"), which must also be able to enter the folders above.`,
    );
  }
  if (code !== 'ENOENT' && code !== 'ENOTDIR') {
    return bad(`${path} cannot be opened (${code})`, 'Is spire-agent running, and does it have the time to answer?');
  }
  const folder = await stat(dirname(path)).catch(() => undefined);
  return bad(
    folder === undefined ? `there is no folder ${dirname(path)}` : `there is no ${path}`,
    `Is spire-agent running? ${inAgentConfiguration(path)}`,
  );
}

function inAgentConfiguration(path: string): string {
  return `The agent's configuration needs, in agent { }, a socket that is not the public one:\n    admin_socket_path = "${path}"`;
}

function bad(saw: string, advice: string): Finding<never> {
  return { status: 'fail', saw, advice, code: 'identity_unavailable' };
}
