import { readFile } from 'node:fs/promises';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import { systemClock } from '../../src/base/clock.ts';
import { createLogger } from '../../src/base/logger.ts';
import type { Broker } from '../../src/broker/broker.ts';
import { createLoggingHost } from '../../src/logging-host.ts';
import { median, type Row } from '../row.ts';
import { startBenchWorld } from '../world.ts';

const LIMITS = { timeoutMs: 60_000, instances: 1, maxWaiting: 1, memoryBytes: 16 * 1024 ** 2 };
const SILENT = createLogger({ level: 'silent', destination: { write() {} } });

const CALLS = 2_000;
const ROUNDS = 9;

/** A cached identity through the import, against the same import of the same component answered with a fixed text. */
export async function identityImport(): Promise<Row[]> {
  const world = await startBenchWorld(1);
  const bytes = await buildComponent();
  const cached = world.service.broker;
  const svid = await cached.identity({ component: 'c0' }, ['sts.amazonaws.com']);
  const empty: Broker = { ...cached, identity: async () => svid };

  const run = async (broker: Broker) => {
    const { hosting } = world.service;
    const host = createLoggingHost({ broker, hosting, clock: systemClock, logger: SILENT });
    const component = await host.load('c0', bytes, LIMITS);
    return { host, call: () => component.call('run', [CALLS]) };
  };
  const [full, bare] = [await run(cached), await run(empty)];
  const times: { full: number[]; bare: number[] } = { full: [], bare: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, { call }] of [
      ['full', full],
      ['bare', bare],
    ] as const) {
      const started = performance.now();
      const result = await call();
      if (!('ok' in result) || result.ok !== 0) throw new Error('the component got no identity');
      times[name].push(((performance.now() - started) / CALLS) * 1000);
    }
  }
  await Promise.all([full.host.close(), bare.host.close(), world.close()]);
  const ratio = median(times.full) / median(times.bare);
  return [
    {
      what: 'cached identity import, time of one call',
      measured: `${median(times.full).toFixed(1)} us`,
      against: `the same import doing nothing ${median(times.bare).toFixed(1)} us`,
      ratio,
      target: '<= 1.5',
      met: ratio <= 1.5,
    },
  ];
}

/** A component that asks for its identity as often as it is told, and returns 0 if the last answer was a token. */
async function buildComponent(): Promise<Uint8Array> {
  const wit = await readFile(new URL('../../wit/wasmcloud-identity-0.0.1/identity.wit', import.meta.url), 'utf8');
  const world = `
    package bench:loop;
    world loop {
      import wasmcloud:identity/store@0.0.1;
      export run: func(times: u32) -> u32;
    }
    ${wit.replace('package wasmcloud:identity@0.0.1;', 'package wasmcloud:identity@0.0.1 {').trimEnd()}
    }`;
  const core = await parse(`
    (module
      (import "wasmcloud:identity/store@0.0.1" "get" (func $get (param i32 i32 i32)))
      (memory (export "memory") 1)
      (data (i32.const 16) "sts.amazonaws.com")
      (global $free (mut i32) (i32.const 1024))
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.set $free (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
        (global.get $free)
        (global.set $free (i32.add (global.get $free) (local.get 3))))
      (func (export "run") (param $times i32) (result i32)
        (loop $again
          (global.set $free (i32.const 1024))
          (call $get (i32.const 16) (i32.const 17) (i32.const 64))
          (local.set $times (i32.sub (local.get $times) (i32.const 1)))
          (br_if $again (local.get $times)))
        (i32.load8_u (i32.const 64))))`);
  return componentNew(await componentEmbed({ binary: core, witSource: world, world: 'loop' }));
}
