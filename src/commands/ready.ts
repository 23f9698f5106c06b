/** Waits for the service to answer or for the end, whichever comes first: a service that is asked to stop is not ready. */
export function isReadyBefore(stopped: Promise<void>, service: { ready(): Promise<void> }): Promise<boolean> {
  return Promise.race([service.ready().then(() => true), stopped.then(() => false)]);
}
