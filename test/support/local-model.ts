import { onTestFinished } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { createSessions, type Session, type Sessions } from '../../src/dev/aws/sessions.ts';
import { serveLocalModel } from '../../src/dev/model/local-model.ts';
import type { Role } from '../../src/dev/sts/roles.ts';
import { listenOnTcp } from '../../src/http/listener.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';

export const REGION = 'us-east-1';

export interface LocalModel {
  readonly url: string;
  readonly log: MemoryLog;
  readonly sessions: Sessions;
  /** A session of 15 minutes, of a role that may invoke models in these regions. */
  open(modelRegions?: readonly string[]): Session;
}

/** The local model endpoint on a real listener. It is in two regions. */
export async function startLocalModel(clock: Clock): Promise<LocalModel> {
  const log = createMemoryLog();
  const sessions = createSessions(clock);
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, clock);
  onTestFinished(listener.close);
  const regions = new Set([REGION, 'eu-central-1']);
  serveLocalModel(listener, { clock, logger: log.logger, sessions, regions: async () => regions });
  return {
    url: listener.url,
    log,
    sessions,
    open: (modelRegions = [REGION]) => sessions.open(roleWith(modelRegions), 'session', 900),
  };
}

function roleWith(modelRegions: readonly string[]): Role {
  return {
    arn: 'arn:aws:iam::111122223333:role/team/models',
    trustPolicy: { Version: '2012-10-17', Statement: [] },
    maxSessionDuration: 3600,
    modelRegions: new Set(modelRegions),
  };
}
