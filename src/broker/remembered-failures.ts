import { SvidxError } from '../base/errors.ts';

/** Long enough to spare the upstream a flood of the same question, short enough that nobody waits for a fix to show. */
export const REFUSAL_MS = 2_000;

/** For trouble that may pass by itself: a pause, not a verdict. */
export const TROUBLE_MS = 500;

/**
 * For how long a failed load is answered from memory instead of asking again.
 * @returns milliseconds; 0 for what says nothing about the next attempt
 */
export function rememberFailureMs(error: unknown): number {
  if (!(error instanceof SvidxError)) return 0;
  switch (error.code) {
    case 'identity_not_found':
    case 'identity_mismatch':
    case 'identity_delegate_unauthorized':
    case 'identity_request_rejected':
    case 'identity_response_invalid':
    case 'exchange_denied':
    case 'exchange_token_rejected':
    case 'exchange_request_rejected':
    case 'exchange_response_invalid':
      return REFUSAL_MS;
    case 'identity_unavailable':
    case 'exchange_unavailable':
    case 'exchange_throttled':
      return TROUBLE_MS;
    default:
      return 0;
  }
}
