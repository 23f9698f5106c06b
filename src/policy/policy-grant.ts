import { z } from 'zod';
import {
  type Grant,
  grantDocument,
  grantDocumentMeta,
  ONE_TARGET,
  shapeOfGrant,
  toGrant,
} from '../credentials/grant.ts';
import { type Injection, injectionDocument, parseInjection } from './injection.ts';

/** A grant as a policy has it: what for, and whether it is handed out or injected. */
export interface PolicyGrant {
  readonly grant: Grant;
  readonly injection: Injection | undefined;
}

export const policyGrant = grantDocument
  .extend({ inject: injectionDocument.optional() })
  .meta(grantDocumentMeta)
  .transform(({ inject, ...document }, context): PolicyGrant => {
    const grant = toGrant(document);
    if (grant === undefined) {
      context.addIssue({ code: 'custom', message: ONE_TARGET });
      return z.NEVER;
    }
    if (inject === undefined) return { grant, injection: undefined };
    if (shapeOfGrant(grant) === 'oauth-bound') {
      // RFC 9449 section 7.1: each request would need a proof of its own.
      context.addIssue({ code: 'custom', path: ['inject'], message: 'a token bound to a key (dpop) is not injected' });
      return z.NEVER;
    }
    const injection = parseInjection(inject, grant.kind);
    if (!('problem' in injection)) return { grant, injection };
    context.addIssue({ code: 'custom', path: ['inject', injection.key], message: injection.problem });
    return z.NEVER;
  });
