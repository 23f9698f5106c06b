import { type Config, type IssuerConfig, loadConfig } from '../config/config.ts';
import { loadPolicyFolder } from '../config/policy-folder.ts';
import type { ComponentPolicy, NamedGrant, PolicySet } from '../policy/policy-set.ts';
import { type Finding, failed, ok } from './walk.ts';

/** More names than this are counted, not listed. */
const MAX_LISTED = 10;

/** Reads the configuration, as `svidx serve` does. */
export async function readConfiguration(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Finding<Config | IssuerConfig>> {
  try {
    const config = await loadConfig(file, env);
    return ok(`${file}: trust domain ${config.trustDomain.name}, issuer ${config.issuer.url}`, config);
  } catch (error) {
    return failed(error, 'Correct the file at that place. The README has every key.');
  }
}

/** Reads and compiles the policies, as `svidx serve` does. */
export async function readPolicies({ policyFolder, trustDomain }: Config): Promise<Finding<PolicySet>> {
  try {
    const policies = await loadPolicyFolder(policyFolder, trustDomain);
    const names = policies.components.map(({ component }) => component);
    const more = names.length > MAX_LISTED ? ` and ${names.length - MAX_LISTED} more` : '';
    return ok(`${policyFolder}: ${names.slice(0, MAX_LISTED).join(', ')}${more}`, policies);
  } catch (error) {
    return failed(error, 'Correct the policies: they are in force all together or not at all.');
  }
}

/** The component that the user asked about, and the grant that is to be exchanged, if there is one. */
export interface Chosen {
  readonly policy: ComponentPolicy;
  readonly granted: NamedGrant | undefined;
}

/** Finds the component, and its grant of that name; without a name its only one. */
export function chooseGrant(policies: PolicySet, component: string, grant: string | undefined): Finding<Chosen> {
  const policy = policies.get(component);
  if (policy === undefined) {
    const known = policies.components.slice(0, MAX_LISTED).map((other) => other.component);
    return unusable(`no policy names the component ${component}`, `--component: there are ${known.join(', ')}.`);
  }
  const { grants } = policy;
  const names = grants.map(({ name }) => name).join(', ');
  const granted = grant === undefined ? grants[0] : grants.find(({ name }) => name === grant);
  if (grant !== undefined && granted === undefined) {
    return unusable(`${component} has no grant ${grant}`, `--grant: it has ${names === '' ? 'none' : names}.`);
  }
  if (grant === undefined && grants.length > 1) {
    return unusable(`${component} has ${grants.length} grants`, `--grant: choose one of ${names}.`);
  }
  return granted === undefined
    ? ok(`${component} has no grant, so nothing is exchanged`, { policy, granted })
    : ok(`${component}, grant ${granted.name}: ${granted.grant.target}`, { policy, granted });
}

function unusable(saw: string, advice: string): Finding<never> {
  return { status: 'fail', saw, advice, code: 'usage_invalid' };
}
