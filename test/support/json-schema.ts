type Schema = Readonly<Record<string, unknown>>;

/** What a keyword of JSON Schema 2020-12 demands of a value. */
type Keyword = (demanded: unknown, value: unknown, schema: Schema) => boolean;

/** Says something about the schema, not about values. */
const ANNOTATIONS = new Set(['$schema', 'title', 'description', 'default']);

const KEYWORDS: Readonly<Record<string, Keyword>> = {
  type: (type, value) => (type === 'integer' ? Number.isInteger(value) : typeOf(value) === type),
  required: (names, value) => !isObject(value) || list(names).every((name) => Object.hasOwn(value, String(name))),
  dependentRequired: (dependents, value) =>
    !isObject(value) ||
    Object.entries(object(dependents)).every(
      ([name, names]) =>
        !Object.hasOwn(value, name) || list(names).every((other) => Object.hasOwn(value, String(other))),
    ),
  properties: (properties, value) =>
    !isObject(value) ||
    Object.entries(object(properties)).every(
      ([name, schema]) => !Object.hasOwn(value, name) || matchesSchema(object(schema), value[name]),
    ),
  additionalProperties: (allowed, value, { properties }) =>
    !isObject(value) ||
    Object.entries(value)
      .filter(([name]) => !Object.hasOwn(object(properties ?? {}), name))
      .every(([, item]) => (typeof allowed === 'boolean' ? allowed : matchesSchema(object(allowed), item))),
  propertyNames: (schema, value) =>
    !isObject(value) || Object.keys(value).every((name) => matchesSchema(object(schema), name)),
  minProperties: (least, value) => !isObject(value) || Object.keys(value).length >= Number(least),
  maxProperties: (most, value) => !isObject(value) || Object.keys(value).length <= Number(most),
  items: (schema, value) => !Array.isArray(value) || value.every((item) => matchesSchema(object(schema), item)),
  minItems: (least, value) => !Array.isArray(value) || value.length >= Number(least),
  maxItems: (most, value) => !Array.isArray(value) || value.length <= Number(most),
  uniqueItems: (unique, value) =>
    unique !== true ||
    !Array.isArray(value) ||
    new Set(value.map((item) => JSON.stringify(item))).size === value.length,
  minLength: (least, value) => typeof value !== 'string' || [...value].length >= Number(least),
  maxLength: (most, value) => typeof value !== 'string' || [...value].length <= Number(most),
  pattern: (pattern, value) => typeof value !== 'string' || new RegExp(String(pattern), 'u').test(value),
  minimum: (least, value) => typeof value !== 'number' || value >= Number(least),
  maximum: (most, value) => typeof value !== 'number' || value <= Number(most),
  not: (schema, value) => !matchesSchema(object(schema), value),
  enum: (values, value) => list(values).includes(value),
  oneOf: (schemas, value) => list(schemas).filter((schema) => matchesSchema(object(schema), value)).length === 1,
  anyOf: (schemas, value) => list(schemas).some((schema) => matchesSchema(object(schema), value)),
};

/**
 * Whether a value is what a JSON Schema describes. Knows the keywords that our schemas use; one that it does not know is
 * an error, so that nothing passes unchecked.
 */
export function matchesSchema(schema: Schema, value: unknown): boolean {
  return Object.entries(schema)
    .filter(([keyword]) => !ANNOTATIONS.has(keyword))
    .every(([keyword, demanded]) => {
      const check = KEYWORDS[keyword];
      if (check === undefined) throw new Error(`unknown keyword ${keyword}`);
      return check(demanded, value, schema);
    });
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeOf(value) === 'object';
}

function object(value: unknown): Schema {
  if (!isObject(value)) throw new Error('expected an object in the schema');
  return value;
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('expected a list in the schema');
  return value;
}
