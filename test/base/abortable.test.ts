import { expect, test } from 'vitest';
import { abortable } from '../../src/base/abortable.ts';

const reason = new Error('enough');

test('the outcome comes through', async () => {
  const { signal } = new AbortController();
  expect(await abortable(Promise.resolve(1), signal)).toBe(1);
  expect(await abortable(Promise.resolve(1), undefined)).toBe(1);
  await expect(abortable(Promise.reject(reason), signal)).rejects.toBe(reason);
});

test('an abort comes first, before and while it is waited for', async () => {
  const never = new Promise(() => {});
  await expect(abortable(never, AbortSignal.abort(reason))).rejects.toBe(reason);
  await expect(abortable(Promise.resolve(1), AbortSignal.abort(reason))).rejects.toBe(reason);
  const abort = new AbortController();
  const waiting = abortable(never, abort.signal);
  abort.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});

test('a failure that comes after the abort is nobody`s', async () => {
  let fail = (_: unknown): void => {};
  const failing = new Promise((_, reject) => {
    fail = reject;
  });
  await expect(abortable(failing, AbortSignal.abort(reason))).rejects.toBe(reason);
  fail(new Error('late'));
  await new Promise((resolve) => setImmediate(resolve));
});
