import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import { compileComponent } from '../../src/component/compile.ts';
import type { TranslateOptions } from '../../src/component/translate.ts';
import { translateInThread } from '../../src/component/translate-thread.ts';
import { asker, command, counter, habitual, httpHandler } from '../fakes/components.ts';
import { assembleText } from '../support/assemble.ts';
import { refusal } from '../support/errors.ts';

const LIMITS: TranslateOptions = { memoryBytes: 64 * 1024 * 1024 };

/** In this thread, which is quicker, but not for what could make the translator panic. */
const compile = (bytes: Uint8Array) => compileComponent(bytes, LIMITS);

const translateApart = (bytes: Uint8Array, signal = new AbortController().signal) =>
  translateInThread(bytes, LIMITS, signal);

let good: Uint8Array;

beforeAll(async () => {
  good = await counter();
});

describe('a component', () => {
  test('is compiled, with the digest of its bytes and the functions it exports', async () => {
    const compiled = await compile(good);
    expect(compiled.digest).toBe(`sha256:${createHash('sha256').update(good).digest('hex')}`);
    expect(compiled.functions.toSorted()).toEqual(['add', 'count-in-global', 'count-in-memory', 'double', 'nothing']);
    expect(compiled.modules.size).toBeGreaterThan(0);
    expect([...compiled.modules.values()].every((module) => module instanceof WebAssembly.Module)).toBe(true);
  });

  test('has another digest with another byte, though it does the same', async () => {
    // A custom section at the end: id 0, size 2, a name of one character.
    const longer = Buffer.concat([good, Buffer.from([0x00, 0x02, 0x01, 0x78])]);
    const [first, second] = [await compile(good), await compile(longer)];
    expect(second.functions).toEqual(first.functions);
    expect(second.digest).not.toBe(first.digest);
  });

  test.each([
    ['both host interfaces', asker],
    ['what toolchains import out of habit, in whatever 0.2 version', habitual],
  ])('may import %s', async (_, make) => {
    expect((await compile(await make())).functions.length).toBeGreaterThan(0);
  });

  test('made of TypeScript by jco may too', async () => {
    const compiled = await compile(await readFile(inject('apiGatewayWasm')));
    expect(compiled.functions).toEqual(expect.arrayContaining(['claims', 'credentials-for']));
  });

  test('without any function is one', async () => {
    expect((await compile(await assembleText('(component)'))).functions).toEqual([]);
  });
});

describe('what it imports and exports is told, whatever a policy says of it', () => {
  test.each([
    ['a function', '(import "steal" (func))', ['steal']],
    ['a function whose name WIT must escape', '(import "import" (func))', ['import']],
    ['an instance', '(import "steal-it" (instance (export "f" (func))))', ['steal-it']],
    ['an instance without anything in it', '(import "steal" (instance))', ['steal']],
    ['an interface', '(import "a:b/c" (instance))', ['a:b/c']],
    ['an interface whose name WIT must escape', '(import "a:stream/async" (instance))', ['a:stream/async']],
    [
      'interfaces in versions',
      '(import "x:b/c@1.2.3" (instance)) (import "wasi:io/error@0.2.0-rc-2023-11-10" (instance))',
      ['x:b/c@1.2.3', 'wasi:io/error@0.2.0-rc-2023-11-10'],
    ],
  ])('%s', async (_, text, imports) => {
    expect((await compile(await assembleText(`(component ${text})`))).imports).toEqual(imports);
  });

  test('a resource whose functions it calls', async () => {
    const bytes = await assembleText(`(component
      (import "t" (type $t (sub resource)))
      (import "[static]t.f" (func $f))
      (core func $lowered (canon lower (func $f)))
      (core module $m (import "" "f" (func $f)) (func (export "go") (call $f)))
      (core instance $i (instantiate $m (with "" (instance (export "f" (func $lowered))))))
      (func (export "go") (canon lift (core func $i "go"))))`);
    expect((await compile(bytes)).imports).toEqual(['t']);
  });

  test('an HTTP handler', async () => {
    const compiled = await compile(await httpHandler());
    expect(compiled).toMatchObject({
      imports: ['wasi:http/types@0.2.10'],
      functions: [],
      httpHandler: 'wasi:http/incoming-handler@0.2.10',
      command: undefined,
    });
  });

  test('a command', async () => {
    const compiled = await compile(await command());
    expect(compiled).toMatchObject({ functions: [], httpHandler: undefined, command: 'wasi:cli/run@0.2.3' });
  });

  test('of exported instances only those that the host knows how to call', async () => {
    const inner = '(component $c (core module $m (func (export "go"))) (core instance $i (instantiate $m))';
    const bytes = await assembleText(`(component
      ${inner} (func (export "go") (canon lift (core func $i "go")))) (instance $x (instantiate $c))
      (export "own" (instance $x)) (export "a:b/run@0.2.0" (instance $x)) (export "wasi:cli/run@0.2.0-rc-1" (instance $x)))`);
    expect(await compile(bytes)).toMatchObject({ functions: [], httpHandler: undefined, command: undefined });
  });
});

describe('what is no component is refused', () => {
  const invalid: readonly (readonly [string, Uint8Array, string])[] = [
    ['nothing', new Uint8Array(), 'it does not begin as a WebAssembly component does'],
    ['a text', Buffer.from('(component)'), 'it does not begin as a WebAssembly component does'],
    [
      'a program of another sort',
      Buffer.from('\u007fELF\u0002\u0001\u0001\u0000'),
      'it does not begin as a WebAssembly component does',
    ],
    ['half a beginning', Buffer.from([0x00, 0x61, 0x73, 0x6d]), 'it does not begin as a WebAssembly component does'],
    [
      'an older version of the format',
      Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x0a, 0x00, 0x01, 0x00]),
      'it does not begin as a WebAssembly component does',
    ],
    [
      'a core module',
      Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]),
      'it is a core WebAssembly module; expected a component',
    ],
  ];

  test.each(invalid)('%s', async (_, bytes, problem) => {
    expect(await refusal(compile(bytes))).toMatchObject({
      code: 'component_invalid',
      message: `not a WebAssembly component: ${problem}`,
    });
  });

  test('one that is too large', async () => {
    const huge = Buffer.alloc(128 * 1024 * 1024 + 1);
    huge.set(good.subarray(0, 8));
    expect(await refusal(compile(huge))).toMatchObject({
      code: 'component_invalid',
      message: 'not a WebAssembly component: it is larger than 134217728 bytes',
    });
  });

  test('one that imports or instantiates in a way that cannot be translated', async () => {
    for (const text of [
      '(import "c" (component))',
      '(import "m" (core module $m)) (core instance (instantiate $m))',
      '(import "a:b:c/d" (instance))',
    ]) {
      expect(await refusal(translateApart(await assembleText(`(component ${text})`)))).toMatchObject({
        code: 'component_invalid',
        message: 'not a valid WebAssembly component',
      });
    }
  });

  test('one that is cut short anywhere, or changed anywhere, is refused or is another component', async () => {
    const cutAt = fc.integer({ min: 8, max: good.length - 1 }).map((length) => good.subarray(0, length));
    const changed = fc
      .tuple(fc.integer({ min: 8, max: good.length - 1 }), fc.integer({ min: 1, max: 255 }))
      .map(([at, by]) => {
        const bytes = Buffer.from(good);
        bytes[at] = (bytes[at] ?? 0) ^ by;
        return bytes;
      });
    await fc.assert(
      fc.asyncProperty(fc.oneof(cutAt, changed), async (bytes) => {
        const error = await translateApart(bytes).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        if (error === undefined) return;
        expect(error).toBeInstanceOf(SvidxError);
        expect(error).toHaveProperty('code', 'component_invalid');
      }),
      { numRuns: 8 },
    );
  });
});

describe('what this host does not run is refused', () => {
  const module = (text: string): string => `(component (core module $m ${text}) (core instance (instantiate $m)))`;

  test.each([
    [
      'an asynchronous function',
      `(component (core module $m (func (export "go") (result i32) i32.const 0)
        (func (export "back") (param i32 i32 i32) (result i32) i32.const 0))
        (core instance $i (instantiate $m))
        (func (export "go") async (canon lift (core func $i "go") async (callback (func $i "back")))))`,
      'which this host does not have: it has asynchronous functions',
    ],
    ['WASI 0.3', '(component (import "wasi:cli/environment@0.3.0" (instance)))', 'it is made for WASI 0.3'],
    ['more memory than it may have', module('(memory 1025)'), 'the component needs 67174400 bytes of memory to begin'],
    ['a shared memory', module('(memory 1 2 shared)'), 'not a valid WebAssembly component'],
    ['a memory with 64-bit addresses', module('(memory i64 1)'), 'not a valid WebAssembly component'],
    ['a memory with small pages', module('(memory 1 (pagesize 1))'), 'not a valid WebAssembly component'],
    ['a table with 64-bit addresses', module('(table i64 1 funcref)'), 'not a valid WebAssembly component'],
  ])('%s', async (_, text, message) => {
    const error = await refusal(translateApart(await assembleText(text)));
    expect(error.code).toBe('component_invalid');
    expect(error.message).toContain(message);
  });

  test('but as much memory as it may have, and any maximum, it may declare', async () => {
    const compiled = await compile(await assembleText(module('(memory 1024 65536)')));
    expect([...compiled.limits.values()]).toEqual([{ memoryBytes: LIMITS.memoryBytes, tableEntries: 0 }]);
  });
});

describe('compiling apart from everything else', () => {
  test('a component that makes the translator panic does not spoil it for the next', async () => {
    const panics = await assembleText('(component (import "m" (core module $m)) (core instance (instantiate $m)))');
    expect(await refusal(translateApart(panics))).toMatchObject({ code: 'component_invalid' });
    expect((await translateApart(good)).functions).toContain('add');
  });

  test('several at once do not disturb each other', async () => {
    const junk = Buffer.concat([good.subarray(0, 8), Buffer.from('junk')]);
    const outcomes = await Promise.allSettled([translateApart(good), translateApart(junk), translateApart(good)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  test('it can be given up', async () => {
    const reason = new SvidxError('service_stopping', 'enough');
    await expect(translateApart(good, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const compiling = translateApart(good, controller.signal);
    controller.abort(reason);
    await expect(compiling).rejects.toBe(reason);
  });
});
