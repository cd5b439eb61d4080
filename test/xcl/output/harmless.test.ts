import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { HarmlessText } from '../../../xcl/output/harmless.ts'

function harmless(...pieces: readonly (string | Uint8Array)[]): string {
  const text = new HarmlessText()
  const shown = pieces.map((piece) => text.push(Buffer.from(piece)))
  return shown.join('') + text.end()
}

describe('what a guest printed, on a terminal', () => {
  test.each([
    ['plain text\n', 'plain text\n'],
    ['tab\tstays\n', 'tab\tstays\n'],
    ['gr\u00fc\u00dfe \u2713 \u{1f600}\n', 'gr\u00fc\u00dfe \u2713 \u{1f600}\n'],
    ['line\r\nline\r\r\n\rline\n', 'line\nline\nline\n'],
    ['[\x1b[0;32m  OK  \x1b[0m] done\n', '[  OK  ] done\n'],
    ['90%\r100%\n', '90%^M100%\n'],
    ['\x1b]0;owned\x07', '^[]0;owned^G'],
    ['\x1b[2J\x1b[6n', '^[[2J^[[6n'],
    ['\b\x7f\0', '^H^?^@'],
    ['\x1b[', '^[['],
    ['\r', '^M'],
    ['\u009b31m', '<U+009B>31m'],
    ['a\u202eb', 'a<U+202E>b'],
    [Buffer.from([0x9b, 0x41, 0xc3, 0x0a, 0xff]), '<9B>A<C3>\n<FF>'],
    [Buffer.from([0xc0, 0x9b, 0xed, 0xa0, 0x80]), '<C0><9B><ED><A0><80>'],
  ])('%j becomes %j', (printed, shown) => {
    expect(harmless(printed)).toBe(shown)
  })

  test('a colour that is too long to be one is shown', () => {
    const long = `\x1b[${'1;'.repeat(40)}m`
    expect(harmless(long)).toBe(`^[${long.slice(1)}`)
  })

  const bytes = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 8 }),
      fc
        .constantFrom('\x1b', '\x1b[3', '1m', '\r', '\n', '\u2713', '\u009b', 'text')
        .map(Buffer.from),
    ),
    { maxLength: 12 },
  )

  property.prop([bytes])('is the same however it was cut into pieces', (pieces) => {
    expect(harmless(...pieces)).toBe(harmless(Buffer.concat(pieces)))
  })

  property.prop([bytes])('has nothing in it that a terminal obeys', (pieces) => {
    const codes = [...harmless(...pieces)].map((character) => character.codePointAt(0) ?? 0)
    const obeyed = codes.filter(
      (code) => (code < 0x20 && code !== 0x0a && code !== 0x09) || (code >= 0x7f && code <= 0x9f),
    )
    expect(obeyed).toEqual([])
  })
})
