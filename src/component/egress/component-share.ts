import { EgressError } from './error-code.ts';

/** What one request has of what its component may have at a time. */
export interface Share {
  /**
   * Takes room for a body that is held.
   * @throws EgressError `connection-limit-reached` when the component's requests hold too much
   */
  hold(bytes: number): void;
  /** Gives all of it back. May be called again. */
  release(): void;
}

export interface ShareLimits {
  /** How many requests a component has under way, until their connections are closed. */
  readonly maxRequests: number;
  /** How many bytes of their bodies are held at a time. */
  readonly maxHeldBytes: number;
}

/**
 * Keeps what one component takes of the host within bounds, so that its neighbours have theirs.
 * @returns a function that takes a share for one request, and throws EgressError `connection-limit-reached` when there is none
 */
export function createShares({ maxRequests, maxHeldBytes }: ShareLimits): (component: string) => Share {
  const taken = new Map<string, { requests: number; bytes: number }>();

  return (component) => {
    const used = taken.get(component) ?? { requests: 0, bytes: 0 };
    if (used.requests >= maxRequests) throw tooMuch('it has too many requests under way');
    taken.set(component, used);
    used.requests += 1;
    let held = 0;
    let isReleased = false;
    return {
      hold(bytes) {
        if (used.bytes + bytes > maxHeldBytes) throw tooMuch('its requests hold too much');
        used.bytes += bytes;
        held += bytes;
      },
      release() {
        if (isReleased) return;
        isReleased = true;
        used.requests -= 1;
        used.bytes -= held;
        if (used.requests === 0) taken.delete(component);
      },
    };
  };
}

function tooMuch(reason: string): EgressError {
  return new EgressError('connection-limit-reached', reason);
}
