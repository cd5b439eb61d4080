/** Bytes of one string of a payload: the text and its NUL. */
export function nulTerminated(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'utf8')
}

/** The strings of a payload, split at NULs; bytes behind the last NUL are a last string. */
export function splitStrings(payload: Uint8Array): string[] {
  if (payload.length === 0) return []
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString('utf8')
  const strings = text.split('\0')
  if (strings.at(-1) === '') strings.pop()
  return strings
}
