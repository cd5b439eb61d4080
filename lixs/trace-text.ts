/**
 * Bytes of guests as text that is safe to look at: one line, nothing that a terminal obeys, and never
 * longer than told, whatever the guest sent.
 */

/** So many bytes of a payload are shown; a path or a token fits, a value is told by its beginning. */
const SHOWN_BYTES = 160
const NUL = 0
const FIRST_PRINTABLE = 0x20
const LAST_PRINTABLE = 0x7e
const NEWLINE = 0x0a
const BACKSLASH = 0x5c
/** Stands for a NUL, as in the protocol's description; where it is meant itself it is escaped. */
const BAR = 0x7c

/**
 * `bytes[start … end)` as ASCII: `|` for a NUL, `\n` and `\xNN` for what is not printable, and behind what is
 * shown how many bytes more there are.
 */
export function payloadText(bytes: Uint8Array, start: number, end: number): string {
  const stop = Math.min(end, start + SHOWN_BYTES)
  let text = ''
  for (let at = start; at < stop; at++) text += byteText(bytes[at] as number)
  return stop < end ? `${text} ...${end - stop} bytes more` : text
}

function byteText(byte: number): string {
  if (byte === NUL) return '|'
  if (byte === NEWLINE) return '\\n'
  const isPlain = byte >= FIRST_PRINTABLE && byte <= LAST_PRINTABLE
  if (isPlain && byte !== BACKSLASH && byte !== BAR) return String.fromCharCode(byte)
  return `\\x${byte.toString(16).padStart(2, '0')}`
}
