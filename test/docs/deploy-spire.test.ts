import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseSelector } from '../../src/spiffe/selector.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { runProgram } from '../support/cli.ts';
import { loadFullConfig } from '../support/doctor.ts';

/** deploy/ is one set: what SPIRE is told and what this service is told must be the same. `npm run test:spire` runs it. */
const DEPLOY = join(import.meta.dirname, '../../deploy');
const read = (name: string): string => readFileSync(join(DEPLOY, 'spire', name), 'utf8');

/** The value of a setting that stands in the file once. */
function setting(file: string, key: string): string {
  const found = [...read(file).matchAll(new RegExp(`^ *${key} *= *\\[?"([^"]*)"\\]?$`, 'gm'))];
  if (found.length !== 1) throw new Error(`${file}: ${found.length} of ${key}`);
  return found[0]?.[1] ?? '';
}

/** What register.sh would have `spire-server` do: a flag's value by its name, for each entry. */
async function registered(env: Readonly<Record<string, string>>): Promise<Map<string, string>[]> {
  const { code, stdout, stderr } = await runProgram('sh', [join(DEPLOY, 'spire/register.sh')], {
    env: { PATH: process.env['PATH'], SPIRE_SERVER: 'echo', ...env },
  });
  if (code !== 0) throw new Error(stderr);
  return stdout
    .trim()
    .split('\n')
    .map((line) => new Map([...line.matchAll(/-(\w+) (\S+)/g)].map(([, flag = '', value = '']) => [flag, value])));
}

describe('deploy/', () => {
  test('has the same issuer, trust domain and sockets on both sides', async () => {
    const config = await loadFullConfig(join(DEPLOY, 'svidx.yaml'));
    expect(setting('server.conf', 'jwt_issuer')).toBe(config.issuer.url);
    expect(setting('server.conf', 'trust_domain')).toBe(config.trustDomain.name);
    expect(setting('agent.conf', 'trust_domain')).toBe(config.trustDomain.name);
    expect(setting('agent.conf', 'server_port')).toBe(setting('server.conf', 'bind_port'));
    expect(setting('agent.conf', 'admin_socket_path')).toBe(config.spireSocket);
  });

  test('has the two sockets of the agent in folders apart, as the agent insists', () => {
    const folder = `${dirname(setting('agent.conf', 'socket_path'))}/`;
    expect(setting('agent.conf', 'admin_socket_path').startsWith(folder)).toBe(false);
  });

  test('registers the delegate that the agent authorizes, then components, all under the agent', async () => {
    const [delegate, ...components] = await registered({ AGENT_ID: 'spiffe://example.org/agent' });
    expect(delegate?.get('spiffeID')).toBe(setting('agent.conf', 'authorized_delegates'));
    expect(delegate?.get('selector')).toBe('unix:user:svidx');
    expect(readFileSync(join(DEPLOY, 'systemd/svidx.service'), 'utf8')).toMatch(/^User=svidx$/m);
    expect(components.length).toBe(2);
    for (const entry of [delegate, ...components]) {
      expect(SpiffeId.parse(entry?.get('spiffeID') ?? '').trustDomain.name).toBe(
        setting('server.conf', 'trust_domain'),
      );
      expect(parseSelector(entry?.get('selector') ?? '')).toBeDefined();
      expect(entry?.get('parentID')).toBe('spiffe://example.org/agent');
      expect(entry?.get('socketPath')).toBe(setting('server.conf', 'socket_path'));
    }
  });

  test('registers nothing when it is not told under whom', async () => {
    await expect(registered({})).rejects.toThrow('AGENT_ID: set it to the SPIFFE ID of the agent');
  });

  test('has SPIRE in the README link to files that are there', () => {
    const links = [...read('README.md').matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path = '']) => path);
    expect(links.toSorted()).toEqual(['agent.conf', 'register.sh', 'server.conf']);
    for (const link of links) expect(read(link)).not.toBe('');
  });
});
