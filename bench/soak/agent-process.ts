import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Authority } from '../../src/dev/authority.ts';
import { parseAudience } from '../../src/spiffe/audience.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import type { FromAgent, ToAgent } from './messages.ts';

export interface AgentProcessOptions {
  readonly authority: Authority;
  readonly setup: Omit<ToAgent & { kind: 'start' }, 'kind' | 'jwkSet'>;
}

/** An agent in a process of its own. Whatever happens to it, the keys are here and are never written anywhere. */
export interface AgentProcess {
  /** How many tokens were signed. */
  readonly signed: number;
  readonly running: boolean;
  /** Starts it, at the same socket as before. Resolves when it serves. */
  start(): Promise<void>;
  /** Ends it as SIGKILL does: its socket stays behind. */
  kill(): Promise<void>;
  dropStreams(): void;
}

export function createAgentProcess({ authority, setup }: AgentProcessOptions): AgentProcess {
  let child: ChildProcess | undefined;
  let signed = 0;

  function tell(message: ToAgent): void {
    if (child?.connected) child.send(message);
  }

  authority.onChange(() => tell({ kind: 'keys', jwkSet: authority.jwkSet() }));

  async function heard(message: FromAgent): Promise<void> {
    if (message.kind !== 'mint') return;
    const audience = parseAudience([...message.audience]);
    if (audience === undefined) throw new Error('the agent asked for a token without audience');
    const svid = await authority.mint({ spiffeId: SpiffeId.parse(message.spiffeId), audience, ttl: message.ttl });
    signed += 1;
    tell({ kind: 'minted', id: message.id, svid });
  }

  return {
    get signed() {
      return signed;
    },
    get running() {
      return child !== undefined;
    },
    async start() {
      child = fork(new URL('../servers/soak-agent.ts', import.meta.url), [], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      child.on('message', (message: FromAgent) => void heard(message));
      tell({ kind: 'start', ...setup, jwkSet: authority.jwkSet() });
      await once(child, 'message');
    },
    async kill() {
      const killed = child;
      child = undefined;
      if (killed === undefined) return;
      killed.kill('SIGKILL');
      await once(killed, 'exit');
    },
    dropStreams: () => tell({ kind: 'drop-streams' }),
  };
}
