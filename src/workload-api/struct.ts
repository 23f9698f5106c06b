/** A `google.protobuf.Struct` as the gRPC library takes it. */
export interface Struct {
  readonly fields: Readonly<Record<string, Value>>;
}

type Value =
  | { readonly nullValue: 0 }
  | { readonly boolValue: boolean }
  | { readonly numberValue: number }
  | { readonly stringValue: string }
  | { readonly listValue: { readonly values: readonly Value[] } }
  | { readonly structValue: Struct };

/** A JSON object as a `google.protobuf.Struct`, the form in which ValidateJWTSVID returns claims. Numbers are doubles there. */
export function toStruct(json: object): Struct {
  return { fields: Object.fromEntries(Object.entries(json).map(([name, value]) => [name, toValue(value)])) };
}

function toValue(json: unknown): Value {
  switch (typeof json) {
    case 'boolean':
      return { boolValue: json };
    case 'number':
      return { numberValue: json };
    case 'string':
      return { stringValue: json };
    default:
      if (Array.isArray(json)) return { listValue: { values: json.map(toValue) } };
      return typeof json === 'object' && json !== null ? { structValue: toStruct(json) } : { nullValue: 0 };
  }
}
