import { describe, expect, test } from 'vitest';
import { readWorld } from '../../src/component/world.ts';
import { refusal } from '../support/errors.ts';

const world = (...lines: readonly string[]): string =>
  ['package root:component;', '', 'world root {', ...lines.map((line) => `  ${line}`), '}', ''].join('\n');

describe('a world', () => {
  test('is read as far as the host knows what to do with it', () => {
    const wit = world(
      'import wasi:io/poll@0.2.3;',
      'import %stream: func(a: string) -> result<u32, error>;',
      'import a:%future/%async@1.0.0;',
      'import inline: interface {',
      '  use wasi:io/streams@0.2.3.{input-stream};',
      '  go: func(s: borrow<input-stream>);',
      '}',
      'use wasi:io/error@0.2.3.{error};',
      '/// import of:nothing/here; async func() -> stream<u8>',
      'export plain: func(future-trailers: u32);',
      'export %stream: func();',
      'export wasi:http/incoming-handler@0.2.10;',
      'export wasi:cli/run@0.2.0;',
      'export own: interface {',
      '  inner: func();',
      '}',
    );
    expect(readWorld(wit)).toEqual({
      imports: ['wasi:io/poll@0.2.3', 'stream', 'a:future/async@1.0.0', 'inline'],
      functions: ['plain', 'stream'],
      httpHandler: 'wasi:http/incoming-handler@0.2.10',
      command: 'wasi:cli/run@0.2.0',
    });
  });

  test('may be empty', () => {
    const nothing = { imports: [], functions: [], httpHandler: undefined, command: undefined };
    expect(readWorld(world())).toEqual(nothing);
    expect(readWorld('')).toEqual(nothing);
  });

  test.each([
    'wasi:http/incoming-handler@0.2.0-rc-2023-12-05',
    'wasi:http/incoming-handler@1.0.0',
    'wasi:http/incoming-handler',
    'evil:http/incoming-handler@0.2.3',
    'wasi:http/handler@0.2.3',
    'wasi:cli/run@0.2.3-draft',
    'wasi:cli/runner@0.2.3',
  ])('that exports %s has neither HTTP handler nor command', (name) => {
    expect(readWorld(world(`export ${name};`))).toMatchObject({ httpHandler: undefined, command: undefined });
  });
});

describe('the asynchronous component model is refused', () => {
  const START = 'the component needs the asynchronous component model, which this host does not have: ';

  test.each([
    'export go: async func();',
    'import go: async func();',
    'export go: func() -> stream<u8>;',
    'export go: func(s: stream);',
    'export go: func() -> result<future<u8>, string>;',
    'import go: func() -> tuple<u8, future>;',
    'export go: func() -> error-context;',
    'export own: interface {\n    go: async func();\n  }',
  ])('%s', async (line) => {
    expect(await refusal(() => readWorld(world(line)))).toMatchObject({
      code: 'component_invalid',
      message: `${START}it has asynchronous functions, streams, futures or error contexts`,
    });
  });

  test.each(['import wasi:clocks/types@0.3.0;', 'export wasi:http/handler@0.3.0-rc-2026-03-15;'])(
    '%s',
    async (line) => {
      const name = line.replace(/^\w+ |;$/g, '');
      expect(await refusal(() => readWorld(world(line)))).toMatchObject({
        code: 'component_invalid',
        message: `${START}it is made for WASI 0.3 (${name})`,
      });
    },
  );
});
