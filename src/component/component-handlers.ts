import type { Broker } from '../broker/broker.ts';
import type { Hosting } from '../broker/hosting.ts';
import type { Caller } from '../policy/evaluate.ts';
import type { Egress } from './egress/egress.ts';
import { EgressError } from './egress/error-code.ts';
import type { Fields } from './egress/outgoing-request.ts';
import type { HostImport, ImportContext } from './host-import.ts';
import type { ComponentHandlers, OutputSink } from './host-side.ts';
import { type HeaderList, withoutForbidden } from './http-messages.ts';
import { configImport } from './imports/config.ts';
import { credentialsImport } from './imports/credentials.ts';
import { identityImport } from './imports/identity.ts';
import { BrokenPipe } from './pipes.ts';

/** The interfaces that are answered outside a component's thread. */
export const HOST_IMPORTS: readonly HostImport[] = [identityImport, credentialsImport, configImport];

export interface ComponentHandlersOptions {
  readonly caller: Caller;
  readonly broker: Broker;
  readonly hosting: Hosting;
  readonly egress: Egress;
  openOutput(): OutputSink;
}

/** What the component of this caller may cause outside its thread. */
export function componentHandlers({
  caller,
  broker,
  hosting,
  egress,
  openOutput,
}: ComponentHandlersOptions): ComponentHandlers {
  const context: ImportContext = { caller, broker, hosting };
  return {
    async onImport(request) {
      const given = HOST_IMPORTS.find(({ name }) => name === request.interface);
      const fn = given?.functions[request.function];
      if (fn === undefined) throw new Error(`no import ${request.interface}#${request.function}`);
      return fn(context, request.args);
    },

    async onRequest({ request, timeouts, body, trailers }, signal) {
      const answer = await egress.send(
        caller,
        {
          ...request,
          headers: toFields(request.headers),
          body,
          trailers: async () => toFields(trailers()),
          connectTimeoutMs: timeouts.connectMs,
          firstByteTimeoutMs: timeouts.firstByteMs,
          betweenBytesTimeoutMs: timeouts.betweenBytesMs,
        },
        signal,
      );
      return {
        response: { status: answer.status, headers: withoutForbidden(toHeaders(answer.headers)) },
        body: answer.body,
        trailers: async () => toHeaders(await answer.trailers()),
      };
    },

    toHttpError(error) {
      if (error instanceof EgressError) return error.errorCode;
      // What the component itself gave up on.
      return error instanceof BrokenPipe ? error.reason : { tag: 'internal-error', val: undefined };
    },

    openOutput,
  };
}

function toFields(headers: HeaderList): Fields;
function toFields(headers: HeaderList | undefined): Fields | undefined;
function toFields(headers: HeaderList | undefined): Fields | undefined {
  return headers?.map(([name, value]) => [name, Buffer.from(value, 'latin1')]);
}

function toHeaders(fields: Fields): HeaderList;
function toHeaders(fields: Fields | undefined): HeaderList | undefined;
function toHeaders(fields: Fields | undefined): HeaderList | undefined {
  return fields?.map(([name, value]) => [name, Buffer.from(value).toString('latin1')]);
}
