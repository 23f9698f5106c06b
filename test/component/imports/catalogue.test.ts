import { describe, expect, test } from 'vitest';
import { checkImports, type ImportRights, suspendingImports } from '../../../src/component/imports/catalogue.ts';
import { refusal } from '../../support/errors.ts';

const NOTHING: ImportRights = {
  identity: false,
  credentials: false,
  wasi: new Set(),
  config: new Map(),
  egress: [],
  injections: [],
};

/** What each right gives, and the line that would give it. */
const BY_RIGHT: readonly (readonly [string, readonly string[], Partial<ImportRights>, string])[] = [
  ['identity', ['wasmcloud:identity/store@0.0.1'], { identity: true }, 'audiences: [AUDIENCE]'],
  ['credentials', ['svidx:credentials/store@0.1.0'], { credentials: true }, 'grants: { NAME: { ... } }'],
  [
    'config',
    ['wasi:config/store@0.2.0-draft', 'wasi:config/store@0.2.0-rc.1'],
    { config: new Map([['A', 'b']]) },
    'config: { KEY: VALUE }',
  ],
];
