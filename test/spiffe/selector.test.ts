import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSelector } from '../../src/spiffe/selector.ts';
import { anyText } from '../support/any-text.ts';

describe('a selector', () => {
  test.each([
    ['wasmcloud:component:api-gateway', 'wasmcloud', 'component:api-gateway'],
    ['unix:uid:1000', 'unix', 'uid:1000'],
    ['k8s:pod-label:a=b:c', 'k8s', 'pod-label:a=b:c'],
    ['a::', 'a', ':'],
    [' a : b ', ' a ', ' b '],
    ['A:B', 'A', 'B'],
    ['__proto__:constructor', '__proto__', 'constructor'],
  ])('%j is cut at its first colon, and nothing is trimmed or folded', (text, type, value) => {
    expect(parseSelector(text)).toEqual({ type, value });
  });

  test.each(['', ':', '::', ':b', 'a:', 'a', 'no colon at all'])('%j is none', (text) => {
    expect(parseSelector(text)).toBeUndefined();
  });

  test('joins to the text it was read from, whatever the text', () => {
    fc.assert(
      fc.property(anyText(), anyText(), (left, right) => {
        const text = `${left}:${right}`;
        const selector = parseSelector(text);
        if (selector === undefined) return /^:|^[^:]*:$/.test(text);
        return `${selector.type}:${selector.value}` === text && !selector.type.includes(':') && selector.value !== '';
      }),
    );
  });
});
