/** The routes of wasmPay that need something of its policy. */
export const WASMPAY_ROUTES = ['token', 'exchange', 'credentials', 'inject'] as const;

/** What a route answers with when it is refused. A message of the policy's begins with the component's name, left out here. */
export type Refusal = readonly [status: number, from: string, code: string, message: string];

/** Something taken from the policy of wasmPay, and the routes that are then refused. The others answer as before. */
export interface PolicyChange {
  edit(policy: string): string;
  readonly refused: Partial<Record<(typeof WASMPAY_ROUTES)[number], Refusal>>;
}

const HTTP = 'wasi:http/outgoing-handler';
const NO_EGRESS: Refusal = [403, HTTP, 'HTTP-request-denied', 'the policy of this component has no egress to this URL'];
const OTHER_ADDRESS: Refusal = [
  502,
  HTTP,
  'destination-IP-prohibited',
  'the name resolves to an address that the policy of this component does not allow',
];
const NO_AUDIENCE: Refusal = [
  403,
  'wasmcloud:identity/store',
  'policy_denied',
  'the audience "sts.amazonaws.com" is not granted to it',
];
const NO_GRANT: Refusal = [403, 'svidx:credentials/store', 'policy_denied', 'it has no grant "bedrock"'];
const UNSIGNED: Refusal = [502, 'model', 'MissingAuthenticationTokenException', 'the model endpoint answered with 403'];

const INJECT = /^ {4}inject: .*\n/m;
const EGRESS = /^egress:\n/m;
const AUDIENCES = /^audiences: .*$/m;

/** Each is one line of the policy, or what stands in its place. */
export const POLICY_CHANGES: Readonly<Record<string, PolicyChange>> = {
  'egress to STS': { edit: without(/^ {2}- \{ url: http:\/\/localhost:\d+, .*\n/m), refused: { exchange: NO_EGRESS } },
  'egress to the model': {
    edit: without(/^ {2}- \{ url: .*\/model\/, .*\n/m),
    refused: { exchange: NO_EGRESS, credentials: NO_EGRESS },
  },
  'the addresses of STS': {
    edit: instead(/^ {2}- \{ url: (http:\/\/localhost:\d+), .*$/m, '  - $1'),
    refused: { exchange: OTHER_ADDRESS },
  },
  'the grant': { edit: instead(/^ {2}bedrock:$/m, '  another:'), refused: { credentials: NO_GRANT } },
  inject: { edit: without(INJECT), refused: { inject: NO_EGRESS } },
  'inject, with egress in its place': {
    edit: (policy) => {
      const [, url = ''] = /INJECT_URL: (\S+)/.exec(policy) ?? [];
      return instead(EGRESS, `egress:\n  - ${url}/\n`)(without(INJECT)(policy));
    },
    refused: { inject: UNSIGNED },
  },
  'the audience': {
    edit: instead(AUDIENCES, 'audiences: [other.example.org]'),
    refused: { token: NO_AUDIENCE, exchange: NO_AUDIENCE },
  },
  ...withoutConfig('AUDIENCE', 'token', 'exchange'),
  ...withoutConfig('GRANT', 'credentials'),
  ...withoutConfig('INJECT_URL', 'inject'),
  ...withoutConfig('MODEL_ID', 'exchange', 'credentials', 'inject'),
  ...withoutConfig('MODEL_URL', 'exchange', 'credentials'),
  ...withoutConfig('REGION', 'exchange', 'credentials'),
  ...withoutConfig('ROLE_ARN', 'exchange'),
  ...withoutConfig('STS_URL', 'exchange'),
};

/** What wasmPay is not even loaded without, and the line of a policy that it is told to add. */
export const NOT_LOADED_WITHOUT: Readonly<Record<string, { edit(policy: string): string; readonly advice: string }>> = {
  audiences: { edit: without(AUDIENCES), advice: 'to grant it: audiences: [AUDIENCE]' },
  wasi: {
    edit: instead(/^wasi: .*$/m, 'wasi: [clocks, random]'),
    advice: 'to grant them: wasi: [clocks, random, stdio]',
  },
  config: { edit: without(/^config:\n(?: {2}.*\n)+/m), advice: 'to grant it: config: { KEY: VALUE }' },
  'egress and inject': {
    edit: (policy) => without(/^egress:\n(?: {2}.*\n)+/m)(without(INJECT)(policy)),
    advice: 'to grant it: egress: [https://HOST]',
  },
  'the grant that is handed out': {
    edit: without(/^ {2}bedrock:\n.*\n/m),
    advice: 'to grant it: grants: { NAME: { ... } }',
  },
};

/** A component that signs what it sends to the place where the host signs, too; and there the grant has another role. */
export function signsWhatIsInjected(policy: string): string {
  const [, url = ''] = /INJECT_URL: (\S+)/.exec(policy) ?? [];
  const sent = instead(/MODEL_URL: \S+/, `MODEL_URL: ${url}`)(policy);
  return instead(/(bedrock-injected:\n.*)wasmpay-bedrock/, '$1wasmpay-injected')(sent);
}

/** The same policy for a component of another name. */
export function forComponent(policy: string, name: string): string {
  return policy.replace(/^(component|spiffeId|selectors): .*wasmpay/gm, (line) => line.replace('wasmpay', name));
}

function withoutConfig(
  key: string,
  ...routes: readonly (typeof WASMPAY_ROUTES)[number][]
): Record<string, PolicyChange> {
  const missing: Refusal = [
    500,
    'wasi:config/store',
    'missing',
    `the policy of this component has no config value ${key}`,
  ];
  return {
    [`the config value ${key}`]: {
      edit: without(new RegExp(`^ {2}${key}: .*\\n`, 'm')),
      refused: Object.fromEntries(routes.map((route) => [route, missing])),
    },
  };
}

function without(what: RegExp): (policy: string) => string {
  return instead(what, '');
}

function instead(what: RegExp, text: string): (policy: string) => string {
  return (policy) => {
    if (!what.test(policy)) throw new Error(`the policy of wasmPay has no ${what}`);
    return policy.replace(what, text);
  };
}
