import { parentPort, workerData } from 'node:worker_threads';
import { createCoreInstances } from './core-instances.ts';
import { createBorder } from './guest/border.ts';
import { createGuestImports } from './guest/guest-imports.ts';
import { createInstanceState, type InstanceState } from './guest/instance-state.ts';
import { limitBuffers } from './guest/limit-buffers.ts';
import { type GeneratedModule, type Instance, runJob } from './guest/run-job.ts';
import type { Job, ToWorker, WorkerData } from './messages.ts';

/**
 * The thread a component runs in: one job at a time, a fresh instance for each, made ahead. It holds nothing but the
 * component; what the component asks of the host goes out as a message, and the thread waits until the answer comes in.
 */

const port = parentPort;
if (port === null) throw new Error('worker.ts runs in a worker thread only');

const countBuffer = limitBuffers();

const data: WorkerData = workerData;
let state: InstanceState;
let jobId: number | undefined;
let waiting: Job | undefined;
let lastId = 0;

const border = createBorder({
  port,
  counters: new Int32Array(data.counters),
  receive,
  isCancelled: () => state.cancelled,
});
const imports = createGuestImports({ border, state: () => state, nextId }, data.remote);
const { instantiate }: GeneratedModule = await import(
  `data:text/javascript;base64,${Buffer.from(data.source).toString('base64')}`
);

let instance = freshInstance();
port.on('message', (message: ToWorker) => {
  receive(message);
  runWaiting();
});
// An instance that asks for something while it is made may have come across its job already.
runWaiting();

function runWaiting(): void {
  for (let job = waiting; job !== undefined; job = waiting) {
    waiting = undefined;
    run(job);
  }
}

function run(job: Job): void {
  const outcome = runJob(instance, job, { border, imports, state, nextId });
  // It cannot be cancelled any more: what comes in from now on is for the next instance.
  jobId = undefined;
  border.send({ type: 'outcome', outcome });
  border.flush();
  // A component that trapped is not trusted with this thread again: the host ends it.
  if (outcome.type !== 'trap') instance = freshInstance();
}

/** An instance of which nobody has used anything yet, with nothing under way. */
function freshInstance(): Instance {
  state = createInstanceState(border.send);
  imports.reset();
  const cores = createCoreInstances(data.cores);
  const fresh = instantiate(cores.getModule, imports.object, cores.instantiate);
  border.send({ type: 'ready' });
  border.flush();
  return fresh;
}

function receive(message: ToWorker): void {
  if (message.type === 'job') {
    jobId = message.id;
    waiting = message.job;
    // From now on, since the bytes of its body may be in the next message.
    const body = message.job.kind === 'http' ? message.job.body : undefined;
    state.jobBody = body === undefined ? undefined : state.pipes.reader(body);
  } else if (message.type === 'cancel') {
    if (message.job === jobId) state.cancelled = true;
  } else {
    // Before it is kept: what nobody reads stays here, and the answers to many requests are many.
    if (message.type === 'data') countBuffer(message.chunk.byteLength);
    state.receive(message);
  }
}

function nextId(): number {
  lastId += 2;
  return lastId;
}
