import { isFieldValue, isForbiddenHeader, isToken } from '../egress/header-rules.ts';
import type { HeaderList } from '../http-messages.ts';

/** How many fields one message may have, and how many characters all of them together: more is a mistake or an attack. */
const MAX_FIELDS = 500;
const MAX_FIELDS_LENGTH = 256 * 1024;

type Entry = readonly [name: string, value: string];

/** `wasi:http/types.fields` (headers, trailers): names in any case, values as bytes, in order. */
export class Fields {
  #entries: readonly Entry[] = [];
  #immutable = false;

  static fromList(list: readonly (readonly [string, Uint8Array])[]): Fields {
    const fields = new Fields();
    fields.#replace(list.map(([name, value]) => checked(name, value)));
    return fields;
  }

  /** Fields of the host's own making: however many there are, they are there already. */
  static of(entries: HeaderList, { immutable }: { immutable: boolean }): Fields {
    const fields = new Fields();
    fields.#entries = entries;
    fields.#immutable = immutable;
    return fields;
  }

  get(name: string): Uint8Array[] {
    return this.#entries.filter(([other]) => sameName(other, name)).map(([, value]) => toBytes(value));
  }

  has(name: string): boolean {
    return this.#entries.some(([other]) => sameName(other, name));
  }

  set(name: string, values: readonly Uint8Array[]): void {
    this.#refuseImmutable();
    const added = values.map((value) => checked(name, value));
    if (added.length === 0) checkName(name);
    this.#replace([...this.#without(name), ...added]);
  }

  delete(name: string): void {
    this.#refuseImmutable();
    checkName(name);
    this.#replace(this.#without(name));
  }

  append(name: string, value: Uint8Array): void {
    this.#refuseImmutable();
    this.#replace([...this.#entries, checked(name, value)]);
  }

  entries(): [string, Uint8Array][] {
    return this.#entries.map(([name, value]) => [name, toBytes(value)]);
  }

  clone(): Fields {
    return Fields.of(this.#entries, { immutable: false });
  }

  /** As it crosses the border. */
  list(): HeaderList {
    return this.#entries;
  }

  /** Once it belongs to a message it changes no more. */
  freeze(): this {
    this.#immutable = true;
    return this;
  }

  /** Changes by the component are held to the limits. */
  #replace(entries: HeaderList): void {
    const length = entries.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    if (entries.length > MAX_FIELDS || length > MAX_FIELDS_LENGTH) throw new RangeError('too many or too long fields');
    this.#entries = entries;
  }

  #without(name: string): Entry[] {
    return this.#entries.filter(([other]) => !sameName(other, name));
  }

  #refuseImmutable(): void {
    if (this.#immutable) throw headerError('immutable');
  }
}

function checked(name: string, value: Uint8Array): Entry {
  checkName(name);
  if (!isFieldValue(value)) throw headerError('invalid-syntax');
  return [name, Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1')];
}

function checkName(name: string): void {
  if (!isToken(name)) throw headerError('invalid-syntax');
  if (isForbiddenHeader(name)) throw headerError('forbidden');
}

/** A case of `header-error`, in the shape `jco` hands on as the `err` of a result. */
function headerError(tag: 'invalid-syntax' | 'forbidden' | 'immutable'): { readonly tag: string } {
  return { tag };
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function toBytes(value: string): Uint8Array {
  return new Uint8Array(Buffer.from(value, 'latin1'));
}
