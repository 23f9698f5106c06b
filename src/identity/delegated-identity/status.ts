import { type ServiceError, status } from '@grpc/grpc-js';
import { SvidxError } from '../../base/errors.ts';
import { scrub } from '../../base/secret.ts';

/** What the agent says to a caller that has an identity but is not among its `authorized_delegates`. */
const NOT_A_DELEGATE = 'caller not configured as an authorized delegate';

/** What gRPC for Node itself says, as UNIMPLEMENTED, of a call that ended well and brought no message or half of one. */
const NO_MESSAGE = 'No message received';

/** True when the agent issues no identity, which it says of the caller as well as of the selectors that were sent. */
export function isNoIdentityIssued(error: unknown): boolean {
  return isServiceError(error) && error.code === status.PERMISSION_DENIED && error.details !== NOT_A_DELEGATE;
}

/** True for PermissionDenied in either meaning. */
export function isPermissionDenied(error: unknown): boolean {
  return isServiceError(error) && error.code === status.PERMISSION_DENIED;
}

/**
 * The meaning of a failed call to the Delegated Identity API.
 *
 * PermissionDenied means two things that are mended in different places, and only the message tells them apart.
 */
export function toIdentityError(error: unknown): SvidxError {
  if (error instanceof SvidxError) return error;
  if (!isServiceError(error)) {
    // gRPC throws without a status when it was not even asked to connect: its client is closed, since we are closing.
    return unavailable(scrub(error instanceof Error ? `${error.name}: ${error.message}` : `a thrown ${typeof error}`));
  }
  const detail = statusText(error);
  switch (error.code) {
    case status.PERMISSION_DENIED:
      return error.details === NOT_A_DELEGATE ? notADelegate(detail) : noIdentity(detail);
    case status.INVALID_ARGUMENT:
      return new SvidxError('identity_request_rejected', 'the SPIRE agent refused the request', { detail });
    case status.UNIMPLEMENTED:
      if (error.details === NO_MESSAGE) return unavailable(detail);
      return new SvidxError(
        'identity_request_rejected',
        "the socket does not serve SPIRE's Delegated Identity API; expected the agent's admin socket",
        { detail },
      );
    case status.DEADLINE_EXCEEDED:
      return late(detail);
    default:
      return unavailable(detail);
  }
}

/**
 * The meaning of a failed call that had a deadline. An agent that sees it pass before we do, as SPIRE's was seen to, resets
 * the stream, which reads as cancelled.
 */
export function toFetchError(error: unknown): SvidxError {
  return isServiceError(error) && error.code === status.CANCELLED ? late(statusText(error)) : toIdentityError(error);
}

/** The error for a caller (this service) that the agent lets ask for nothing. */
export function notADelegate(detail: string): SvidxError {
  return new SvidxError(
    'identity_delegate_unauthorized',
    'the SPIRE agent does not accept this service as a delegate: it needs a registration entry, and its SPIFFE ID among authorized_delegates',
    { detail },
  );
}

function late(detail: string): SvidxError {
  return new SvidxError('identity_unavailable', 'the SPIRE agent did not answer in time', { detail });
}

function unavailable(detail: string): SvidxError {
  return new SvidxError('identity_unavailable', 'the SPIRE agent cannot be reached or cannot get the JWT-SVID', {
    detail,
  });
}

function noIdentity(detail: string): SvidxError {
  return new SvidxError(
    'identity_not_found',
    'SPIRE has no registration entry for the selectors of this component, or the entry has not reached the agent yet',
    { detail },
  );
}

function statusText({ code, details }: ServiceError): string {
  return scrub(`gRPC ${status[code] ?? code}: ${details}`);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}
