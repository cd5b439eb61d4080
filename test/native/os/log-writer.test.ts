import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fc, test } from '@fast-check/vitest'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  FileFacts,
  LogWriter,
  MAX_ENTRIES,
  SOURCE_ARENA,
  SOURCE_USED,
} from '../../../native/os/log-writer.ts'

let dir: string
let writer: LogWriter
let fds: number[]

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'log-writer-'))
  writer = new LogWriter()
  fds = []
})
afterEach(() => {
  for (const fd of fds) closeSync(fd)
  rmSync(dir, { recursive: true })
})

function open(name: string): number {
  const fd = new FileFacts().open(name.startsWith('/') ? name : join(dir, name))
  if (fd >= 0) fds.push(fd)
  return fd
}

function content(name: string): string {
  return readFileSync(join(dir, name), 'latin1')
}

/** Memory that is named with `use`. */
function used(text: string): void {
  const memory = new ArrayBuffer(text.length)
  Buffer.from(memory).write(text, 'latin1')
  writer.use(memory)
}

describe('opening a log', () => {
  it('makes it, for everybody to read, and says which file it is and how long', () => {
    const facts = new FileFacts()
    const umask = process.umask(0)
    const fd = facts.open(join(dir, 'a'))
    process.umask(umask)
    fds.push(fd)
    const found = statSync(join(dir, 'a'), { bigint: true })
    expect(found.mode & 0o777n).toBe(0o644n)
    const words = new Int32Array(new BigUint64Array([found.dev, found.ino]).buffer)
    expect([facts.identity, facts.size]).toEqual([words, 0])
    writer.arena.set(Buffer.from('some'))
    writer.put(fd, SOURCE_ARENA, 0, 4, 4)
    expect(writer.write()).toBe(true)
    fds.push(facts.open(join(dir, 'a')))
    expect(facts.size).toBe(4)
  })

  it('answers with the error, below zero', () => {
    expect(open('missing/a')).toBe(-2)
    expect(open(dir)).toBe(-21)
  })

  it('waits for nobody who might read a pipe', () => {
    execFileSync('mkfifo', [join(dir, 'pipe')])
    expect(open('pipe')).toBe(-6)
  })
})

describe('LogWriter', () => {
  const aPiece = fc.record({
    file: fc.nat(2),
    isUsed: fc.boolean(),
    start: fc.nat(50),
    length: fc.nat(50),
  })
  test.prop([fc.array(fc.array(aPiece, { maxLength: 200 }), { maxLength: 4 })], { numRuns: 30 })(
    'writes every piece behind what is there, in order, from both memories',
    (rounds) => {
      rmSync(dir, { recursive: true })
      dir = mkdtempSync(join(tmpdir(), 'log-writer-'))
      const names = ['a', 'b', 'c']
      const files = names.map(open)
      const wanted = ['', '', '']
      const memories = ['A'.repeat(60).concat('B'.repeat(60)), 'abcdefghij'.repeat(12)] as const
      writer.arena.set(Buffer.from(memories[0]))
      used(memories[1])
      for (const pieces of rounds) {
        for (const { file, isUsed, start, length } of pieces) {
          const text = memories[isUsed ? 1 : 0].slice(start, start + length)
          wanted[file] += text
          const source = isUsed ? SOURCE_USED : SOURCE_ARENA
          const expected = wanted[file]?.length ?? 0
          writer.put(files[file] ?? -1, source, start, start + length, expected)
        }
        expect(writer.count).toBe(pieces.length)
        expect(writer.write()).toBe(true)
      }
      expect(names.map(content)).toEqual(wanted)
    },
  )

  it('takes as many as it says in one go', () => {
    const fd = open('a')
    writer.arena.fill(0x78)
    for (let i = 0; i < MAX_ENTRIES; i++) writer.put(fd, SOURCE_ARENA, i, i + 1, i + 1)
    expect(writer.write()).toBe(true)
    expect(content('a')).toBe('x'.repeat(MAX_ENTRIES))
  })

  it('says of each piece what has become of it where one failed', () => {
    const [full, good] = [open('/dev/full'), open('a')]
    used('0123456789')
    writer.put(good, SOURCE_USED, 0, 4, 4)
    writer.put(full, SOURCE_USED, 0, 3, 3)
    writer.put(full, SOURCE_USED, 3, 5, 5)
    writer.put(good, SOURCE_USED, 4, 10, 10)
    expect(writer.write()).toBe(false)
    expect([0, 1, 2, 3].map((entry) => writer.isAsExpected(entry))).toEqual([
      true,
      false,
      false,
      true,
    ])
    expect([1, 2].map((entry) => [writer.lost(entry), writer.errnoOf(entry)])).toEqual([
      [3, 28],
      [2, 28],
    ])
    expect(content('a')).toBe('0123456789')
  })

  it('says where the file ends when somebody else has changed it', () => {
    const fd = open('a')
    used('0123456789')
    writer.put(fd, SOURCE_USED, 0, 10, 10)
    expect(writer.write()).toBe(true)
    truncateSync(join(dir, 'a'), 3)
    writer.put(fd, SOURCE_USED, 0, 2, 12)
    expect(writer.write()).toBe(false)
    expect([writer.lost(0), writer.errnoOf(0), writer.endOf(0)]).toEqual([0, 0, 5])
    expect(content('a')).toBe('01201')
  })

  it('takes no descriptor that is closed, and no memory that is not there', () => {
    const fd = open('a')
    used('0123')
    writer.put(-1, SOURCE_USED, 0, 4, 4)
    expect(writer.write()).toBe(false)
    expect([writer.lost(0), writer.errnoOf(0)]).toEqual([4, 9])
    writer.put(fd, SOURCE_USED, 2, 2 ** 30, 2)
    writer.write()
    expect(content('a')).toBe('23')
  })
})
