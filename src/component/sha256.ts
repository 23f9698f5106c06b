/** The SHA-256 of many bytes (FIPS 180-4, 32 bytes), worked out behind what this thread does. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Buffer<ArrayBuffer>> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', bytes));
}
