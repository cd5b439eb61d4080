import { execFileSync } from 'node:child_process'
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  closeParts,
  type LogPart,
  type LogPlace,
  lastLines,
  laterOf,
  linesSince,
  openLogParts,
  piecesOf,
} from '../../../xcl/logs/log-files.ts'
import { aFolder } from '../../support/a-socket-peer.ts'

let folder: { readonly path: string; remove(): void }
let path: string
let parts: LogPart[] = []

beforeEach(() => {
  folder = aFolder()
  path = join(folder.path, 'guest-web.log')
})
afterEach(async () => {
  await closeParts(parts)
  parts = []
  folder.remove()
})

/** Opens a log of these files, the oldest first; each was last written at its time. */
async function aLog(...files: readonly { readonly text: string; readonly ms?: number }[]) {
  for (const [i, { text, ms }] of files.toReversed().entries()) {
    const name = i === 0 ? path : `${path}.${i}`
    writeFileSync(name, text)
    if (ms !== undefined) utimesSync(name, ms / 1000, ms / 1000)
  }
  parts = await openLogParts(path)
  return parts
}

/** What the log holds from there on. */
async function from(place: LogPlace): Promise<string> {
  let text = ''
  for (const [i, { handle }] of parts.entries()) {
    if (i < place.part) continue
    for await (const piece of piecesOf(handle, i === place.part ? place.offset : 0)) {
      text += piece.toString()
    }
  }
  return text
}

describe('the files of a log', () => {
  test('are read the oldest first', async () => {
    await aLog({ text: 'one\n' }, { text: 'two\n' }, { text: 'three\n' })
    expect(await from({ part: 0, offset: 0 })).toBe('one\ntwo\nthree\n')
  })

  test.each([
    ['a folder', () => mkdirSync(path)],
    ['a pipe that nobody fills', () => execFileSync('mkfifo', [path])],
  ])('are files: not %s', async (_, make) => {
    make()
    await expect(openLogParts(path)).rejects.toThrow(`${path} is no log: it is no regular file`)
  })

  test('are none of a guest that was never logged', async () => {
    expect(await openLogParts(path)).toEqual([])
  })
})

describe('the last lines', () => {
  test.each([
    [0, ''],
    [1, 'four'],
    [2, 'three\nfour'],
    [3, 'two\nthree\nfour'],
    [99, 'one\ntwo\nthree\nfour'],
  ])('%d, of several files', async (count, text) => {
    await aLog({ text: 'one\ntwo\n' }, { text: 'three\n' }, { text: 'four' })
    expect(await from(await lastLines(parts, count))).toBe(text)
  })

  test('also when the newest file is empty', async () => {
    await aLog({ text: 'one\ntwo\n' }, { text: '' })
    expect(await from(await lastLines(parts, 1))).toBe('two\n')
  })

  test('of more than is read at a time', async () => {
    const lines = Array.from({ length: 30_000 }, (_, i) => `line ${i}\n`)
    await aLog({ text: lines.slice(0, 10_000).join('') }, { text: lines.slice(10_000).join('') })
    expect(await from(await lastLines(parts, 25_000))).toBe(lines.slice(5000).join(''))
  })
})

describe('the lines since a time', () => {
  const at = (second: number): number => new Date(2026, 0, 31, 12, 0, second).getTime()
  const stamped = (second: number, text: string): string =>
    `[2026-01-31 12:00:${String(second).padStart(2, '0')}] ${text}\n`

  test('are found by their stamps', async () => {
    await aLog(
      { text: stamped(1, 'a') + stamped(2, 'b'), ms: at(2) },
      { text: stamped(3, 'c') + stamped(5, 'd') + stamped(5, 'e'), ms: at(5) },
    )
    const since = async (second: number): Promise<string> => {
      const place = await linesSince(parts, at(second))
      expect(place.isExact).toBe(true)
      return await from(place)
    }
    expect(await since(2)).toBe(
      stamped(2, 'b') + stamped(3, 'c') + stamped(5, 'd') + stamped(5, 'e'),
    )
    expect(await since(4)).toBe(stamped(5, 'd') + stamped(5, 'e'))
    expect(await since(6)).toBe('')
  })

  test('are found in the midst of a long log, whose lines may be longer than a piece', async () => {
    const text = [
      stamped(1, 'x'.repeat(200_000)),
      ...Array.from({ length: 5000 }, (_, i) => stamped(2, `line ${i}`)),
      stamped(9, 'here'),
    ]
    await aLog({ text: text.join(''), ms: at(9) })
    expect(await from(await linesSince(parts, at(9)))).toBe(stamped(9, 'here'))
    expect(await from(await linesSince(parts, at(2)))).toBe(text.slice(1).join(''))
  })

  test('are found where a line went on from the file before', async () => {
    await aLog({ text: `rest of it\n${stamped(1, 'a')}${stamped(5, 'b')}`, ms: at(5) })
    const place = await linesSince(parts, at(4))
    expect(place.isExact).toBe(true)
    expect(await from(place)).toBe(stamped(5, 'b'))
  })

  test.each([
    ['some lines only', `boot\n${stamped(1, 'hi')}login:\n`, undefined],
    ['some lines only, whoever says they are', `boot\n${stamped(1, 'hi')}login:\n`, true],
    ['a long line', `boot\n${'x'.repeat(200_000)}\n${stamped(1, 'hi')}`, undefined],
    ['all lines, which consoled did not write', stamped(1, 'hi') + stamped(1, 'ho'), false],
  ])('are not hidden by times that a guest printed: %s', async (_, text, isStamped) => {
    await aLog({ text, ms: at(9) })
    const place = await linesSince(parts, at(5), isStamped)
    expect(place).toEqual({ part: 0, offset: 0, isExact: false })
  })

  test('are whole files where there are no stamps', async () => {
    await aLog({ text: 'old\n', ms: at(1) }, { text: 'new\n', ms: at(9) })
    const place = await linesSince(parts, at(5))
    expect(place.isExact).toBe(false)
    expect(await from(place)).toBe('new\n')
  })

  test('and of those the last', async () => {
    expect(laterOf({ part: 1, offset: 0 }, { part: 0, offset: 9 })).toEqual({ part: 1, offset: 0 })
    expect(laterOf({ part: 1, offset: 3 }, { part: 1, offset: 9 })).toEqual({ part: 1, offset: 9 })
  })
})
