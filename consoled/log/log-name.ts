/** NAME_MAX less `guest-`, `.log` and the number of one that was put aside. */
const MAX_NAME_BYTES = 240

/**
 * `guest-<name>.log`. What could leave the directory or break a shell's line (slash, control
 * characters) becomes `_`; too long a name is cut.
 */
export function guestLogName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const safe = name.replace(/[/\u0000-\u001f\u007f]/g, '_')
  let cut = safe
  while (Buffer.byteLength(cut) > MAX_NAME_BYTES) cut = cut.slice(0, -1)
  return `guest-${cut}.log`
}
