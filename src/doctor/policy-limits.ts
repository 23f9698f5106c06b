import type { ComponentPolicy } from '../policy/policy-set.ts';
import { CLOUDS } from './clouds.ts';
import { type Finding, ok } from './walk.ts';

/** Whether the SPIFFE IDs are short enough for the clouds that are to read them. */
export function judgeSubjects(components: readonly ComponentPolicy[]): Finding<undefined> {
  for (const { component, spiffeId, grants } of components) {
    const { length } = spiffeId.toString();
    for (const { grant } of grants) {
      const { name, maxSubjectLength } = CLOUDS[grant.kind];
      if (maxSubjectLength !== undefined && length > maxSubjectLength) {
        return {
          status: 'fail',
          saw: `the SPIFFE ID of ${component} has ${length} characters, and ${name} documents at most ${maxSubjectLength}`,
          advice: 'Give it a shorter path, in its policy and in its registration entry.',
        };
      }
    }
  }
  const longest = Math.max(...components.map(({ spiffeId }) => spiffeId.toString().length));
  return ok(`SPIFFE IDs of at most ${longest} characters`);
}

/** Whether the audiences can be what somebody expects: recipients compare them byte by byte. */
export function judgeAudiences(components: readonly ComponentPolicy[]): Finding<undefined> {
  const all = new Set<string>();
  for (const { component, audiences, grants } of components) {
    for (const audience of [...audiences, ...grants.map(({ grant }) => grant.audience)]) {
      if (/^\s|\s$/.test(audience)) {
        return {
          status: 'fail',
          saw: `an audience of ${component} begins or ends with white space: ${JSON.stringify(audience)}`,
          advice: 'Recipients compare audiences byte by byte. Take the white space out of its policy.',
        };
      }
      all.add(audience);
    }
  }
  return ok(all.size === 0 ? 'no policy grants one' : [...all].join(', '));
}
