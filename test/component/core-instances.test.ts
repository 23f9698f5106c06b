import { describe, expect, test } from 'vitest';
import { compileComponent } from '../../src/component/compile.ts';
import { createCoreInstances } from '../../src/component/core-instances.ts';
import { assembleText } from '../support/assemble.ts';

const PAGE = 65_536;

/** One core module with a memory, in a component that makes so many instances of it. */
const component = (instances: number): Promise<Uint8Array> =>
  assembleText(`(component
    (core module $m (memory 1) (func (export "go")))
    ${'(core instance (instantiate $m))'.repeat(instances)}
    (core instance $last (instantiate $m))
    (func (export "go") (canon lift (core func $last "go"))))`);

describe('the instances of one component', () => {
  test('have no more memory together than the component', async () => {
    const compiled = await compileComponent(await component(2), { memoryBytes: 100 * PAGE });
    expect([...compiled.limits.values()]).toEqual([{ memoryBytes: 33 * PAGE, tableEntries: 0 }]);
    const cores = createCoreInstances(compiled);
    const module = cores.getModule('component.core.wasm');
    for (let made = 0; made < 3; made += 1) cores.instantiate(module);
    expect(() => cores.instantiate(module)).toThrow(RangeError);
  });

  test('are counted anew for each instance of the component', async () => {
    const compiled = await compileComponent(await component(0), { memoryBytes: 2 * PAGE });
    for (let request = 0; request < 3; request += 1) {
      const cores = createCoreInstances(compiled);
      const module = cores.getModule('component.core.wasm');
      cores.instantiate(module);
      expect(() => cores.instantiate(module)).toThrow('more memory than the component may have');
    }
  });

  test('are of its own modules alone', async () => {
    const compiled = await compileComponent(await component(0), { memoryBytes: 2 * PAGE });
    const cores = createCoreInstances(compiled);
    expect(() => cores.getModule('component.core2.wasm')).toThrow('no core module component.core2.wasm');
    const other = await WebAssembly.compile(await assembleText('(module (memory 1000))'));
    expect(() => cores.instantiate(other)).toThrow('no limits');
  });

  test('also where a component stands twice in another', async () => {
    const bytes = await assembleText(`(component
      (component $c (core module $m (memory 1) (func (export "go"))) (core instance $i (instantiate $m))
        (func (export "go") (canon lift (core func $i "go"))))
      (instance $x (instantiate $c)) (instance $y (instantiate $c))
      (alias export $x "go" (func $f)) (export "go" (func $f))
      (alias export $y "go" (func $g)) (export "go2" (func $g)))`);
    const compiled = await compileComponent(bytes, { memoryBytes: 100 * PAGE });
    expect([...compiled.limits.values()]).toEqual([{ memoryBytes: 50 * PAGE, tableEntries: 0 }]);
  });
});

test('a component whose names look like what is counted is no better off', async () => {
  // The name of an import or export stands in the JavaScript that jco writes; one with quotes is refused (`core-names.ts`).
  const pretence = 'const module0 = getCoreModule(x.wasm) instantiateCore(module0';
  const bytes = await assembleText(`(component
    (core module $m (memory 1) (func (export "go") (export "${pretence}")))
    (core instance $i (instantiate $m)) (core instance $j (instantiate $m))
    (func (export "go") (canon lift (core func $i "${pretence}"))))`);
  const compiled = await compileComponent(bytes, { memoryBytes: 100 * PAGE });
  const [limits] = compiled.limits.values();
  const cores = createCoreInstances(compiled);
  let total = 0;
  for (let made = 0; made < 100; made += 1) {
    try {
      cores.instantiate(cores.getModule('component.core.wasm'));
      total += limits?.memoryBytes ?? 0;
    } catch {
      break;
    }
  }
  expect(total).toBeGreaterThan(0);
  expect(total).toBeLessThanOrEqual(100 * PAGE);
});
