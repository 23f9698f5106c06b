import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Ends what a test has started, also when the test's own process is killed: a shell that waits for the end of its input,
 * which comes with the end of this process in whatever way, and then kills the processes that are left, by their pids, and
 * removes the folder.
 */
export interface Reaper {
  started(pid: number): void;
  /** This one is gone; somebody else may soon have its pid. */
  ended(pid: number): void;
  /** Kills what is left and removes the folder, now. */
  reap(): Promise<void>;
}

const SCRIPT = `
pids=' '
while read -r sign pid; do
  case $sign in
    +) pids="$pids$pid " ;;
    -) pids="\${pids%%" $pid "*} \${pids#*" $pid "}" ;;
  esac
done
[ "$pids" = ' ' ] || kill -KILL $pids
rm -rf "$1"
`;

/** @param folder everything that the processes write */
export function startReaper(folder: string): Reaper {
  // In a group of its own: Ctrl-C is for the others.
  const shell = spawn('sh', ['-c', SCRIPT, 'reaper', folder], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  const gone = once(shell, 'exit');
  return {
    started: (pid) => void shell.stdin.write(`+ ${pid}\n`),
    ended: (pid) => void shell.stdin.write(`- ${pid}\n`),
    async reap() {
      shell.stdin.end();
      await gone;
    },
  };
}
