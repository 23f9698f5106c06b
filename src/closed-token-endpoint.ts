import type { Logger } from './base/logger.ts';
import type { PolicySet } from './policy/policy-set.ts';

/** Warns of policies that let somebody have grants at the token endpoint, in a service that has none: nobody can ask there. */
export function warnOfClosedTokenEndpoint({ components }: PolicySet, logger: Logger): void {
  const waiting = components.filter(({ tokenSubjects }) => tokenSubjects.length > 0).map(({ component }) => component);
  if (waiting.length === 0) return;
  logger.warn(
    { event: 'policies.token_endpoint_closed', components: waiting },
    'policies list subjects for the token endpoint, which only "tokenEndpoint: {}" in the configuration opens',
  );
}
