import { z } from 'zod';
import { type AddressRange, parseAddressRange } from '../base/address-range.ts';
import { canonicalHost } from '../base/canonical-host.ts';
import type { ComponentRights } from '../broker/hosting.ts';
import { WASI_INTERFACES } from '../policy/wasi-interface.ts';

/** Where the host of a component asks what that may do. */
export const COMPONENT_PATH = '/v1/component';

const hostText = z.string().refine((text) => canonicalHost(text) === text);

const rangeText = z.string().transform((text, context): AddressRange => {
  const range = parseAddressRange(text);
  if (range !== undefined) return range;
  context.addIssue({ code: 'custom', message: 'expected a network' });
  return z.NEVER;
});

const placeFields = { scheme: z.enum(['http', 'https']), host: hostText, port: z.int().min(1).max(65_535) };

/** The rights of a component as the private socket has them. Strict: a right that is not understood is none to guess at. */
export const rightsFieldsSchema = z.strictObject({
  identity: z.boolean(),
  credentials: z.boolean(),
  wasi: z.array(z.enum(WASI_INTERFACES)),
  config: z.record(z.string(), z.string()),
  egress: z.array(z.strictObject({ ...placeFields, path: z.string().startsWith('/'), addresses: z.array(rangeText) })),
  injections: z.array(
    z.strictObject({
      grant: z.string().min(1),
      ...placeFields,
      service: z.string().min(1).optional(),
      region: z.string().min(1).optional(),
    }),
  ),
});

export type RightsFields = z.input<typeof rightsFieldsSchema>;

/** Rights for a serializer. */
export function rightsFields({ identity, credentials, ...rights }: ComponentRights): RightsFields {
  return {
    identity,
    credentials,
    wasi: [...rights.wasi],
    config: Object.fromEntries(rights.config),
    egress: rights.egress.map(({ scheme, host, port, path, addresses }) => ({
      scheme,
      host,
      port,
      path,
      addresses: addresses.map(({ address, prefix }) => `${address}/${prefix}`),
    })),
    injections: rights.injections.map(({ grant, injection: { scheme, host, port, service }, region }) => ({
      grant,
      scheme,
      host,
      port,
      ...(service === undefined ? {} : { service }),
      ...(region === undefined ? {} : { region }),
    })),
  };
}

/** The inverse: fields that arrived over the private socket. */
export function rightsFromFields(fields: z.output<typeof rightsFieldsSchema>): ComponentRights {
  const { identity, credentials, wasi, config, egress, injections } = fields;
  return {
    identity,
    credentials,
    wasi: new Set(wasi),
    config: new Map(Object.entries(config)),
    egress,
    injections: injections.map(({ grant, scheme, host, port, service, region }) => ({
      grant,
      injection: { scheme, host, port, service },
      region,
    })),
  };
}
