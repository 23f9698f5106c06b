import { checkComponents } from '../component/check-components.ts';
import type { HostConfig } from '../config/host.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import { type Finding, failed, ok } from './walk.ts';

/** Compiles the components that `svidx host` would run, and compares them with their policies. Runs none. */
export async function lookAtHosted(host: HostConfig, policies: PolicySet): Promise<Finding<undefined>> {
  try {
    await checkComponents(host, policies);
    return ok(`${host.components.map(({ component }) => component).join(', ')}: each may be hosted`);
  } catch (error) {
    return failed(error, 'Mend the file, or the policy of that name. The others can be hosted.');
  }
}
