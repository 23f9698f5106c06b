import { bitString, boolean, der, integer, octetString, oid, sequence } from './der-writer.ts';

/** An extension of a certificate (RFC 5280 section 4.2). */
export function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

/** @param pathLength how many authorities may stand below it; any number where it is left out */
export function basicConstraints(isAuthority: boolean, pathLength?: number): Buffer {
  const length = pathLength === undefined ? [] : [integer(Buffer.of(pathLength))];
  return extension('2.5.29.19', true, sequence(...(isAuthority ? [boolean(true), ...length] : [])));
}

/** RFC 5280 section 4.2.1.3: each usage is a bit. */
const USAGES = { digitalSignature: 0x80, keyEncipherment: 0x20, keyCertSign: 0x04, cRLSign: 0x02 } as const;

export function keyUsage(...usages: readonly (keyof typeof USAGES)[]): Buffer {
  const bits = usages.reduce((sum, usage) => sum | USAGES[usage], 0);
  // The trailing zero bits of a named bit list are left out (X.690 section 11.2.2).
  const unused = bits === 0 ? 0 : Math.log2(bits & -bits);
  return extension('2.5.29.15', true, bits === 0 ? bitString(Buffer.of()) : bitString(Buffer.of(bits), unused));
}

/** RFC 5280 section 4.2.1.12. */
const PURPOSES = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' } as const;

export function extendedKeyUsage(...purposes: readonly (keyof typeof PURPOSES)[]): Buffer {
  return extension('2.5.29.37', false, sequence(...purposes.map((purpose) => oid(PURPOSES[purpose]))));
}

/** RFC 5280 section 4.2.1.6: names as their implicit tags have them. */
const NAME_TAGS = { dns: 0x82, uri: 0x86, ip: 0x87 } as const;

/** @param names each of its kind; an IP address in its octets */
export function subjectAltName(names: readonly (readonly [keyof typeof NAME_TAGS, Buffer])[]): Buffer {
  return extension('2.5.29.17', false, sequence(...names.map(([kind, bytes]) => der(NAME_TAGS[kind], bytes))));
}
