import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import type { Credentials } from '../../src/credentials/credentials.ts';
import { CREDENTIAL_FORMATS, formatCredentials } from '../../src/credentials/formats.ts';

const VARIABLES = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_CREDENTIAL_EXPIRATION',
  'AWS_REGION',
];

function credentials(secretAccessKey: string, sessionToken: string, accessKeyId = 'ASIAEXAMPLE'): Credentials {
  return {
    kind: 'aws',
    accessKeyId,
    secretAccessKey: new Secret(secretAccessKey),
    sessionToken: new Secret(sessionToken),
    expiresAt: Date.parse('2026-11-22T12:15:00Z'),
    region: 'us-east-1',
  };
}

/** The variables that a POSIX shell has after `eval "$(svidx credentials ... --format env)"`, as the README has it. */
function evaluated(output: string): string[] {
  const values = VARIABLES.map((name) => `"$${name}"`).join(' ');
  const script = `set -eu; eval "$(cat)"; printf '%s\\0' ${values}; printf '%s' "\${PWNED-}"`;
  const printed = execFileSync('sh', ['-c', script], { input: output, env: { PATH: process.env['PATH'] } });
  return printed.toString('utf8').split('\0');
}

describe('the format "env"', () => {
  test('is one export a line, in single quotes', () => {
    expect(formatCredentials(credentials('secret', "it's"), 'env').split('\n')).toEqual([
      "export AWS_ACCESS_KEY_ID='ASIAEXAMPLE'",
      "export AWS_SECRET_ACCESS_KEY='secret'",
      "export AWS_SESSION_TOKEN='it'\\''s'",
      "export AWS_CREDENTIAL_EXPIRATION='2026-11-22T12:15:00.000Z'",
      "export AWS_REGION='us-east-1'",
    ]);
  });

  test('gives a shell the exact values, for each character there is', () => {
    // A shell variable cannot hold the character 0, and STS sends none.
    const all = String.fromCharCode(...Array.from({ length: 0x17f }, (_, index) => index + 1));
    const expected = [all, `${all}\n`, `\n\n${all}'`, '2026-11-22T12:15:00.000Z', 'us-east-1', ''];
    expect(evaluated(formatCredentials(credentials(`${all}\n`, `\n\n${all}'`, all), 'env'))).toEqual(expected);
  });

  test.each([
    "'; PWNED=1; '",
    '$(PWNED=1; echo x)',
    '`touch pwned`',
    '$HOME $PATH',
    '\\',
    "\\'",
    "'\\''",
    '"',
    '! # ~ * ? [a] {a,b} & | < > ( )',
    '-n',
    '',
    'line\nexport PWNED=1',
    'line\r\n',
  ])('gives a shell %j as it is, and runs nothing of it', (value) => {
    const [, secret, session, , , pwned] = evaluated(formatCredentials(credentials(value, value), 'env'));
    expect([secret, session, pwned]).toEqual([value, value, '']);
  });

  test('gives a shell the exact values, whatever they are', () => {
    const nasty = fc.string({ unit: fc.constantFrom("'", '"', '\\', '$', '`', '\n', ' ', ';', '(', ')', 'a') });
    const text = fc.oneof(nasty, fc.string({ unit: 'binary' })).filter((value) => !value.includes('\0'));
    fc.assert(
      fc.property(text, text, (secret, session) => {
        const [, first, second] = evaluated(formatCredentials(credentials(secret, session), 'env'));
        expect([first, second]).toEqual([secret, session]);
      }),
    );
  });
});

describe('the format "process"', () => {
  // AWS CLI user guide, "Sourcing credentials with an external process": version 1, with these names and no others.
  test('is what an AWS SDK expects of a credential_process', () => {
    const output = formatCredentials(credentials('secret"\n', 'session'), 'process');
    expect(output).not.toContain('\n');
    expect(JSON.parse(output)).toStrictEqual({
      Version: 1,
      AccessKeyId: 'ASIAEXAMPLE',
      SecretAccessKey: 'secret"\n',
      SessionToken: 'session',
      Expiration: '2026-11-22T12:15:00.000Z',
    });
  });
});

describe('the format "json"', () => {
  test('is one object on one line with all fields, secrets in the clear', () => {
    const output = formatCredentials(credentials('secret\n', 'session'), 'json');
    expect(output).not.toContain('\n');
    expect(JSON.parse(output)).toStrictEqual({
      kind: 'aws',
      accessKeyId: 'ASIAEXAMPLE',
      secretAccessKey: 'secret\n',
      sessionToken: 'session',
      expiration: '2026-11-22T12:15:00.000Z',
      region: 'us-east-1',
    });
  });
});

test('no format hides a secret behind its stand-in', () => {
  for (const format of CREDENTIAL_FORMATS) {
    expect(formatCredentials(credentials('secret', 'session'), format)).not.toContain('redacted');
  }
});
