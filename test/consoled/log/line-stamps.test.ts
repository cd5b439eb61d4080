import { fc, test } from '@fast-check/vitest'
import { describe, expect, it } from 'vitest'
import { LineStamps } from '../../../consoled/log/line-stamps.ts'

const NOW = new Date(2026, 10, 3, 4, 5, 6)
const STAMP = '[2026-11-03 04:05:06] '

function stamped(...pieces: string[]): string {
  const stamps = new LineStamps()
  return pieces
    .map((piece) => stamps.stamp(Buffer.from(piece, 'latin1'), 0, piece.length, NOW))
    .join('')
}

describe('LineStamps', () => {
  it('puts the local time before each line', () => {
    expect(stamped('one\ntwo\n')).toBe(`${STAMP}one\n${STAMP}two\n`)
  })

  it('stamps a line once, however many pieces it comes in', () => {
    expect(stamped('o', 'ne', '\n', 'two')).toBe(`${STAMP}one\n${STAMP}two`)
  })

  it('drops a carriage return directly after a line feed, also in the next piece', () => {
    expect(stamped('one\n\rtwo\n', '\rthree\r\n')).toBe(
      `${STAMP}one\n${STAMP}two\n${STAMP}three\r\n`,
    )
  })

  test.prop([fc.array(fc.stringMatching(/^[ab\r\n]{0,12}$/), { maxLength: 8 })])(
    'gives the same whether the text comes whole or in pieces',
    (pieces) => {
      expect(stamped(...pieces)).toBe(stamped(pieces.join('')))
    },
  )
})
