import { get } from 'wasi:config/store@0.2.0-rc.1';
import { Failure, refused } from './failure.ts';

const INTERFACE = 'wasi:config/store';

/** The keys that the policy of this component has under `config`. */
export type ConfigKey =
  | 'STS_URL'
  | 'MODEL_URL'
  | 'INJECT_URL'
  | 'MODEL_ID'
  | 'REGION'
  | 'ROLE_ARN'
  | 'AUDIENCE'
  | 'GRANT';

/**
 * A value of the component's configuration.
 * @throws Failure when the policy has none
 */
export function config(key: ConfigKey): string {
  const value = read(key);
  if (value !== undefined) return value;
  throw new Failure(500, INTERFACE, 'missing', `the policy of this component has no config value ${key}`);
}

function read(key: ConfigKey): string | undefined {
  try {
    return get(key);
  } catch (thrown) {
    throw refused(INTERFACE, thrown);
  }
}
