import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ClientRequest } from 'node:http';
import { onTestFinished } from 'vitest';

/**
 * Sees every request where Node makes it, before a byte of it leaves, until the test ends.
 * @param onRequest told its URL; what it aborts goes nowhere
 */
export function watchOutgoingRequests(onRequest: (url: string) => void): void {
  const listener = (message: unknown): void => {
    const request = Object(message).request;
    if (request instanceof ClientRequest) onRequest(`${request.protocol}//${request.host}${request.path}`);
  };
  subscribe('http.client.request.created', listener);
  onTestFinished(() => void unsubscribe('http.client.request.created', listener));
}
