import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { type Clock, sleep } from '../base/clock.ts';
import { isLoopbackHost } from '../base/http-url.ts';
import type { IssuerConfig } from '../config/config.ts';

import { systemErrorCode } from '../config/read-file.ts';
import { type Finding, ok } from './walk.ts';
import type { World } from './world.ts';

/** Where the issuer is, from here. A cloud asks from the internet, which cannot be seen from here but guessed. */
export async function lookAtIssuerAddress(
  { issuer, stsEndpoint }: Pick<IssuerConfig, 'issuer'> & { readonly stsEndpoint?: string | undefined },
  world: World,
): Promise<Finding<undefined>> {
  const host = new URL(issuer.url).hostname.replace(/^\[(.*)\]$/, '$1');
  if (isLoopbackHost(host)) {
    // Something local plays the cloud, as in svidx dev.
    if (stsEndpoint !== undefined) return ok(`${host} is this machine, and so may be ${stsEndpoint}`);
    return {
      status: 'warn',
      saw: `${host} is this machine: no cloud can reach it`,
      advice: 'Give the issuer a name that the internet knows. Loopback is for development.',
      value: undefined,
    };
  }
  const addresses = await resolve(host, world.clock, world.limitMs);
  if (typeof addresses === 'string') {
    return {
      status: 'fail',
      saw: `the name ${host} cannot be resolved (${addresses})`,
      advice: 'Is the name of "issuer" right, and is it in the public DNS? Clouds look it up there.',
    };
  }
  const inside = addresses.filter(isInside);
  if (inside.length === 0) return ok(`${host} is ${addresses.join(', ')}`);
  return {
    status: 'warn',
    saw: `${host} is ${inside.join(', ')}, an address that is not of the internet`,
    advice: 'Fine where the public DNS says something else. If not, clouds cannot fetch the keys: ask from outside.',
    value: undefined,
  };
}

/** The addresses of a name, or the system's error code. */
async function resolve(host: string, clock: Clock, limitMs: number): Promise<readonly string[] | string> {
  if (isIP(host) !== 0) return [host];
  const found = lookup(host, { all: true }).then(
    (entries) => entries.map(({ address }) => address),
    (error: unknown) => systemErrorCode(error),
  );
  return Promise.race([found, sleep(clock, limitMs).then(() => 'no answer in time')]);
}

/** Private, shared, link-local and loopback addresses (RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291). */
function isInside(address: string): boolean {
  const inside = new BlockList();
  const ipv4 = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '169.254.0.0/16', '127.0.0.0/8'];
  for (const range of ipv4) {
    const [net = '', bits] = range.split('/');
    inside.addSubnet(net, Number(bits), 'ipv4');
  }
  inside.addSubnet('fc00::', 7, 'ipv6');
  inside.addSubnet('fe80::', 10, 'ipv6');
  inside.addAddress('::1', 'ipv6');
  return inside.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}
