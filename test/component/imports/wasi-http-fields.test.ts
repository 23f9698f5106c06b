import { describe, expect, test } from 'vitest';
import { Fields } from '../../../src/component/imports/wasi-http-fields.ts';
import { IncomingRequest } from '../../../src/component/imports/wasi-http-incoming.ts';
import { OutgoingResponse } from '../../../src/component/imports/wasi-http-outgoing.ts';
import { createFakeBorder } from '../../fakes/border.ts';
import { thrown } from '../../support/thrown.ts';

function bytes(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

function texts(values: readonly Uint8Array[]): string[] {
  return values.map((value) => Buffer.from(value).toString('latin1'));
}

describe('fields', () => {
  test('keep order, spelling and repetition, and are found in any case', () => {
    const fields = Fields.fromList([
      ['X-One', bytes('1')],
      ['Other', bytes('')],
      ['x-one', bytes('\xff\t ~x')],
    ]);
    expect(texts(fields.get('X-ONE'))).toEqual(['1', '\xff\t ~x']);
    expect([fields.has('oTHER'), fields.has('none'), fields.get('none')]).toEqual([true, false, []]);
    expect(fields.entries().map(([name]) => name)).toEqual(['X-One', 'Other', 'x-one']);
  });

  test('are changed by setting, adding and taking away', () => {
    const fields = new Fields();
    fields.append('a', bytes('1'));
    fields.append('A', bytes('2'));
    fields.append('b', bytes('3'));
    fields.set('a', [bytes('4'), bytes('5')]);
    expect(fields.list()).toEqual([
      ['b', '3'],
      ['a', '4'],
      ['a', '5'],
    ]);
    fields.set('A', []);
    fields.delete('B');
    fields.delete('none');
    expect(fields.list()).toEqual([]);
  });

  test.each(['', 'a b', 'a:', 'a\r\n', 'a\0', 'ä', '(a)', '"'])('refuse the name %j', (name) => {
    const fields = new Fields();
    for (const change of [
      () => fields.append(name, bytes('x')),
      () => fields.set(name, [bytes('x')]),
      () => fields.set(name, []),
      () => fields.delete(name),
      () => Fields.fromList([[name, bytes('x')]]),
    ]) {
      expect(thrown(change)).toEqual({ tag: 'invalid-syntax' });
    }
    expect(fields.has(name)).toBe(false);
  });

  test.each(['a\r\nb: c', 'a\nb', 'a\0', '\x7f', '\x1b[2J', ' a', 'a ', '\ta'])('refuse the value %j', (value) => {
    const fields = new Fields();
    expect(thrown(() => fields.append('a', bytes(value)))).toEqual({ tag: 'invalid-syntax' });
    expect(thrown(() => fields.set('a', [bytes('good'), bytes(value)]))).toEqual({ tag: 'invalid-syntax' });
    expect(fields.list()).toEqual([]);
  });

  test.each([
    'Connection',
    'HOST',
    'transfer-encoding',
    'Te',
    'upgrade',
    'Keep-Alive',
    'Proxy-Authorization',
    'expect',
  ])("refuse %s, which is the host's", (name) => {
    const fields = new Fields();
    expect(thrown(() => fields.append(name, bytes('x')))).toEqual({ tag: 'forbidden' });
    expect(thrown(() => fields.set(name, [bytes('x')]))).toEqual({ tag: 'forbidden' });
    expect(thrown(() => fields.delete(name))).toEqual({ tag: 'forbidden' });
    expect(thrown(() => Fields.fromList([[name, bytes('x')]]))).toEqual({ tag: 'forbidden' });
  });

  test('of a message change no more, and their copies do', () => {
    const border = createFakeBorder();
    const head = { method: 'GET', scheme: 'http', authority: 'a', pathWithQuery: '/', headers: [['a', '1']] } as const;
    const request = new IncomingRequest(border, head, undefined);
    const outgoing = new Fields();
    const response = new OutgoingResponse(border, outgoing);
    for (const fields of [request.headers(), outgoing, response.headers()]) {
      expect(thrown(() => fields.append('b', bytes('1')))).toEqual({ tag: 'immutable' });
      expect(thrown(() => fields.set('b', []))).toEqual({ tag: 'immutable' });
      expect(thrown(() => fields.delete('a'))).toEqual({ tag: 'immutable' });
      const copy = fields.clone();
      copy.append('b', bytes('1'));
      expect([copy.has('b'), fields.has('b')]).toEqual([true, false]);
    }
  });

  test('are not without end, except those that have come from outside', () => {
    const fields = new Fields();
    for (let count = 0; count < 500; count += 1) fields.append('a', bytes('x'));
    expect(() => fields.append('a', bytes('x'))).toThrow(RangeError);
    expect(() => new Fields().append('a', new Uint8Array(300_000).fill(0x61))).toThrow(RangeError);
    const many = Array.from({ length: 2_000 }, () => ['a', 'x'] as const);
    expect(Fields.of(many, { immutable: true }).get('a')).toHaveLength(2_000);
  });
});
