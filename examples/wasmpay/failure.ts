/** What went wrong, for the caller of this component: no text of another server, which may repeat what it was sent. */
export class Failure extends Error {
  readonly status: number;
  /** Who said no: a host interface, or one of the servers that are called. */
  readonly from: string;
  readonly code: string;

  constructor(status: number, from: string, code: string, message: string) {
    super(message);
    this.status = status;
    this.from = from;
    this.code = code;
  }
}

/** The error codes of `wasi:http` that a policy or a URL is at the bottom of; the others say what they mean. */
const EXPLAINED: Readonly<Record<string, string>> = {
  'HTTP-request-denied': 'the policy of this component has no egress to this URL',
  'destination-IP-prohibited': 'the name resolves to an address that the policy of this component does not allow',
  'not-found': 'the host has no identity for this component',
};

/** A case of a WIT variant, as the bindings of `jco` have it. */
interface Case {
  readonly tag: string;
  readonly val?: unknown;
}

/**
 * What a host function refused with. The bindings throw an error that carries the WIT value as its `payload`; what class
 * it is of differs between engines and bundlers.
 * @throws what was thrown, where it is no refusal but a defect of this component
 */
export function payloadOf(thrown: unknown): Case {
  if (typeof thrown !== 'object' || thrown === null || !('payload' in thrown)) throw thrown;
  return thrown.payload as Case;
}

/**
 * The failure that a host function refused with.
 * @param from the interface, for whoever reads the answer
 */
export function refused(from: string, thrown: unknown): Failure {
  return failureOf(from, payloadOf(thrown));
}

/** The failure that a server answered with. Its code is a word, or it is not shown. */
export function answered(from: 'sts' | 'model', status: number, code: string): Failure {
  const shown = /^\w{1,64}$/.test(code) ? code : 'unknown';
  return new Failure(502, from, shown, `${from === 'sts' ? 'AWS STS' : 'the model endpoint'} answered with ${status}`);
}

/** The failure that a case of a WIT variant stands for. */
export function failureOf(from: string, { tag, val }: Case): Failure {
  const { code, message } = explained(tag, val);
  const denied = tag === 'denied' || code === 'policy_denied' || code === 'HTTP-request-denied';
  return new Failure(denied ? 403 : 502, from, code, message);
}

function explained(tag: string, val: unknown): { code: string; message: string } {
  // svidx:credentials: every case has a code and a sentence.
  if (isFailure(val)) return val;
  if (typeof val !== 'string') return { code: tag, message: EXPLAINED[tag] ?? `the host answered with ${tag}` };
  // wasmcloud:identity: `other` is a code and a sentence in one text.
  const [, code = tag, message = val] = /^([a-z_]+): (.*)$/s.exec(val) ?? [];
  return { code, message };
}

function isFailure(val: unknown): val is { code: string; message: string } {
  return typeof val === 'object' && val !== null && 'code' in val && 'message' in val;
}
