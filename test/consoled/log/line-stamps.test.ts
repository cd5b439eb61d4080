import { fc, test } from '@fast-check/vitest'
import { describe, expect, it } from 'vitest'
import { LineStamps, StampTime, withoutStamps } from '../../../consoled/log/line-stamps.ts'

const NOW = new Date(2026, 10, 3, 4, 5, 6)
const STAMP = '[2026-11-03 04:05:06] '

function stamped(...pieces: string[]): string {
  const stamps = new LineStamps()
  const stamp = new StampTime(() => NOW).stamp()
  return pieces
    .map((piece) => {
      const into = Buffer.alloc(LineStamps.room(piece.length))
      const end = stamps.stamp(Buffer.from(piece, 'latin1'), 0, piece.length, stamp, into, 0)
      return into.toString('latin1', 0, end)
    })
    .join('')
}

describe('LineStamps', () => {
  it('puts the local time before each line', () => {
    expect(stamped('one\ntwo\n')).toBe(`${STAMP}one\n${STAMP}two\n`)
  })

  it('says another time in another second, in room enough for a stamp at every byte', () => {
    let now = NOW
    const time = new StampTime(() => now)
    expect([time.stamp().toString(), time.stamp()]).toEqual([STAMP, time.stamp()])
    now = new Date(NOW.getTime() + 1000)
    expect(time.stamp().toString()).toBe('[2026-11-03 04:05:07] ')
    expect(stamped('\n'.repeat(100)).length).toBe(LineStamps.room(100))
  })

  it('stamps a line once, however many pieces it comes in', () => {
    expect(stamped('o', 'ne', '\n', 'two')).toBe(`${STAMP}one\n${STAMP}two`)
  })

  it('drops carriage returns directly after a line feed, also in the next piece', () => {
    expect(stamped('one\n\r\rtwo\n', '\r', '\rthree\r\n')).toBe(
      `${STAMP}one\n${STAMP}two\n${STAMP}three\r\n`,
    )
  })

  test.prop([fc.array(fc.stringMatching(/^[ab\r\n]{0,12}$/), { maxLength: 8 })])(
    'gives the same whether the text comes whole or in pieces',
    (pieces) => {
      expect(stamped(...pieces)).toBe(stamped(pieces.join('')))
    },
  )

  it('are taken away with what says that a log was opened, in the midst of a line, too', () => {
    const opened = `${STAMP}Logfile Opened\n`
    const log = `${opened}${STAMP}boot\n${STAMP}login: ${opened}${opened}${STAMP}root\n${opened}`
    expect(withoutStamps(Buffer.from(log)).toString()).toBe('boot\nlogin: root\n')
  })

  test.prop([fc.stringMatching(/^[ab[\] \n]{0,40}$/), fc.boolean()])(
    'can be taken away again',
    (text, stampsItself) => {
      const said = stampsItself ? `${STAMP}${text}` : text
      expect(withoutStamps(Buffer.from(stamped(said))).toString()).toBe(said)
    },
  )
})
