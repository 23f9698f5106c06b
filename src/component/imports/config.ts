import { type SvidxError, toSvidxError } from '../../base/errors.ts';
import { type HostImport, type ImportContext, type ImportOutcome, stringArgument } from '../host-import.ts';

/** `wasi:config/store`: the plain values that the component's policy has now. */
export const configImport: HostImport = {
  name: 'wasi:config/store',
  functions: {
    get: (context, args) => answer(context, (config) => config.get(stringArgument(args))),
    'get-all': (context) => answer(context, (config) => [...config]),
  },
};

async function answer(
  { hosting, caller }: ImportContext,
  read: (config: ReadonlyMap<string, string>) => unknown,
): Promise<ImportOutcome> {
  try {
    const { config } = await hosting.rights(caller);
    return { ok: read(config) };
  } catch (error) {
    return toOutcome(toSvidxError(error));
  }
}

/** Its variant `error`: `io` where asking again may help. */
function toOutcome({ code, message }: SvidxError): ImportOutcome {
  const tag = code === 'service_unreachable' || code === 'service_stopping' ? 'io' : 'upstream';
  return { err: { tag, val: `${code}: ${message}` } };
}
