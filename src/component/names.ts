/** A name of WIT as `jco` spells it in JavaScript: `list-keys` is `listKeys`. */
export function javaScriptName(witName: string): string {
  return witName.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** An interface without its version, as `jco` looks it up: `wasmcloud:identity/store` of `...store@0.0.1`. */
export function withoutVersion(name: string): string {
  return name.replace(/@[^@]*$/, '');
}
