import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
} from 'node:fs'
import { constants as osConstants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LogFiles } from '../../../consoled/log/log-files.ts'
import { FileFacts } from '../../../native/os/log-writer.ts'

let dir: string
let logged: string[]
const log = pino({ level: 'trace' }, { write: (line: string) => logged.push(line) })

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'consoled-'))
  logged = []
})
afterEach(() => rmSync(dir, { recursive: true }))

function append(to: { append(bytes: Uint8Array, start: number, end: number): void }, text: string) {
  const bytes = Buffer.from(text, 'latin1')
  to.append(bytes, 0, bytes.length)
}

function content(name: string): string {
  return readFileSync(join(dir, name), 'latin1')
}

describe('LogFiles', () => {
  it('keeps all logs complete with fewer descriptors than logs', () => {
    const files = new LogFiles({ maxOpen: 3 }, log)
    const logs = Array.from({ length: 10 }, (_, i) => files.file(join(dir, `${i}`)))
    for (let round = 0; round < 5; round++) {
      for (const [i, file] of logs.entries()) append(file, `${i}:${round} `)
      expect(files.openCount).toBe(3)
    }
    for (const i of logs.keys()) expect(content(`${i}`)).toBe(`${i}:0 ${i}:1 ${i}:2 ${i}:3 ${i}:4 `)
    files.close()
    expect(files.openCount).toBe(0)
  })

  it('closes any other file for one that has no room', () => {
    const picks = [1, 0]
    const files = new LogFiles({ maxOpen: 2 }, log, () => picks.shift() ?? 0)
    const [a, b, c] = ['a', 'b', 'c'].map((name) => files.file(join(dir, name)))
    if (!a || !b || !c) throw new Error('three files')
    append(a, '1')
    append(b, '1')
    append(c, '1')
    renameSync(join(dir, 'a'), join(dir, 'a.old'))
    renameSync(join(dir, 'b'), join(dir, 'b.old'))
    append(a, '2')
    append(b, '2')
    expect([content('a.old'), content('b.old'), content('b')]).toEqual(['12', '1', '2'])
    files.close()
  })

  it('reopens few of many that take turns, when only a few too many are there', () => {
    const files = new LogFiles({ maxOpen: 90 }, log)
    const logs = Array.from({ length: 100 }, (_, i) => files.file(join(dir, `${i}`)))
    const spy = vi.spyOn(files, 'open')
    for (let round = 0; round < 10; round++) for (const file of logs) append(file, '.')
    // Each round the ten that are missing, and those that these drive out before their turn came.
    expect(spy.mock.calls.length).toBeLessThan(600)
    for (const i of logs.keys()) expect(content(`${i}`)).toBe('..........')
    files.close()
  })

  it('loses nothing when others take the descriptors, as long as it has one itself', () => {
    const files = new LogFiles({ maxOpen: 9 }, log)
    const logs = ['a', 'b'].map((name) => files.file(join(dir, name)))
    for (const file of logs.slice(0, 1)) append(file, '1')
    const { open } = FileFacts.prototype
    const spy = vi.spyOn(FileFacts.prototype, 'open').mockImplementation(function (
      this: FileFacts,
      path,
    ) {
      return files.openCount > 0 ? -osConstants.errno.EMFILE : open.call(this, path)
    })
    for (let round = 0; round < 2; round++) for (const file of logs) append(file, '2')
    spy.mockRestore()
    expect(['a', 'b'].map(content)).toEqual(['122', '22'])
    expect([files.dropped, files.openCount, logged]).toEqual([0, 1, []])
    files.close()
  })

  it('gives descriptors away, and takes them back', () => {
    const files = new LogFiles({ maxOpen: 4 }, log)
    const logs = Array.from({ length: 4 }, (_, i) => files.file(join(dir, `${i}`)))
    const write = () => {
      for (const file of logs) append(file, 'x')
      return files.openCount
    }
    expect(write()).toBe(4)
    files.lend(3)
    expect(files.openCount).toBe(1)
    expect(write()).toBe(1)
    files.lend(2)
    expect(write()).toBe(1)
    files.lend(-5)
    expect(write()).toBe(4)
    for (const i of logs.keys()) expect(content(`${i}`)).toBe('xxxx')
    files.close()
  })

  it('says each time that a disk is full, and that it is not any more', () => {
    const files = new LogFiles({ maxOpen: 4 }, log)
    const path = join(dir, 'a')
    const file = files.file(path)
    const whole = files.file(join(dir, 'whole'))
    /** In one batch with a log to which nothing happens. */
    const writes = (text: string) =>
      files.together(() => {
        append(file, text)
        append(whole, text)
      })
    append(file, 'kept ')
    for (let round = 0; round < 2; round++) {
      file.close()
      renameSync(path, `${path}.real`)
      symlinkSync('/dev/full', path)
      for (let i = 0; i < 3; i++) writes('lost ')
      file.close()
      unlinkSync(path)
      renameSync(`${path}.real`, path)
      for (let i = 0; i < 3; i++) writes('kept ')
    }
    expect(content('a')).toBe('kept '.repeat(7))
    const told = logged.map((line) => JSON.parse(line) as { msg: string; lost?: number })
    expect(told.map(({ msg, lost }) => [msg, lost])).toEqual([
      ['cannot write the log', undefined],
      ['the log can be written again', 15],
      ['cannot write the log', undefined],
      ['the log can be written again', 15],
    ])
    files.close()
  })

  it('says that a pipe takes something again, which has no length', () => {
    const files = new LogFiles({ maxOpen: 1 }, log)
    const path = join(dir, 'a')
    execFileSync('mkfifo', [path])
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const file = files.file(path)
    while (file.dropped === 0) append(file, 'x'.repeat(4096))
    readSync(reader, Buffer.alloc(65_536))
    append(file, 'again')
    append(file, 'again')
    expect(logged.map((line) => JSON.parse(line).msg)).toEqual([
      'cannot write the log',
      'the log can be written again',
    ])
    files.close()
    closeSync(reader)
  })

  it('says once that a log cannot be written, and again after it worked in between', () => {
    const files = new LogFiles({ maxOpen: 2 }, log)
    const file = files.file(join(dir, 'missing', 'x'))
    append(file, 'lost')
    append(file, 'lost')
    expect(logged).toHaveLength(1)
    expect(logged[0]).toContain('ENOENT')
    expect([file.bytes, file.dropped]).toEqual([0, 8])
    mkdirSync(join(dir, 'missing'))
    append(file, 'kept')
    rmSync(join(dir, 'missing'), { recursive: true })
    file.close()
    append(file, 'lost')
    expect([file.bytes, file.dropped]).toEqual([4, 12])
    expect(logged).toHaveLength(3)
  })

  it('counts what a full disk does not take, says so once, and goes on with the others', () => {
    const files = new LogFiles({ maxOpen: 4 }, log)
    symlinkSync('/dev/full', join(dir, 'full'))
    const [full, other] = [files.file(join(dir, 'full')), files.file(join(dir, 'other'))]
    const batch = Buffer.from('first second ')
    for (let round = 0; round < 2; round++) {
      files.batchBegins(batch)
      full.append(batch, 0, 6)
      other.append(batch, 0, 6)
      full.append(batch, 6, 13)
      other.append(batch, 6, 13)
      files.batchEnds()
    }
    expect(content('other')).toBe('first second first second ')
    expect([full.bytes, full.dropped]).toEqual([0, 26])
    expect([other.bytes, other.dropped]).toEqual([26, 0])
    expect(logged).toHaveLength(1)
    expect(logged[0]).toContain('ENOSPC')
    files.close()
  })

  it('writes what is gathered in a batch at its end, in order, whoever it is for', () => {
    const files = new LogFiles({ maxOpen: 2 }, log)
    const logs = Array.from({ length: 5 }, (_, i) => files.file(join(dir, `${i}`)))
    const batch = Buffer.from('abcdefghij')
    files.batchBegins(batch)
    logs[0]?.append(batch, 0, 3)
    logs[0]?.append(batch, 3, 5)
    expect(content('0')).toBe('')
    // Its descriptor goes to others: what waits is written before.
    for (const file of logs.slice(1)) file.append(batch, 5, 6)
    logs[0]?.append(Buffer.from('elsewhere'), 0, 9)
    logs[0]?.append(batch, 6, 10)
    files.batchEnds()
    expect(['0', '1', '2', '3', '4'].map(content)).toEqual(['abcdeelsewhereghij', ...'ffff'])
    files.close()
  })

  it('takes more entries in a batch than one call does', () => {
    const files = new LogFiles({ maxOpen: 2 }, log)
    const [a, b] = [files.file(join(dir, 'a')), files.file(join(dir, 'b'))]
    const batch = Buffer.from('xy')
    files.batchBegins(batch)
    for (let i = 0; i < 3000; i++) {
      a.append(batch, 0, 1)
      b.append(batch, 1, 2)
    }
    files.batchEnds()
    expect([content('a'), content('b')]).toEqual(['x'.repeat(3000), 'y'.repeat(3000)])
    files.close()
  })

  it('appends where a file was truncated, and tells its owner', () => {
    const files = new LogFiles({ maxOpen: 2 }, log)
    const moved: number[] = []
    const owner = {
      logMoves: () => undefined,
      logFollows: () => undefined,
      logMoved: () => moved.push(file.size),
    }
    const file = files.file(join(dir, 'a'), owner)
    append(file, 'before')
    truncateSync(join(dir, 'a'), 0)
    append(file, 'after')
    expect([content('a'), file.size, file.dropped]).toEqual(['after', 5, 0])
    expect(moved).toEqual([5])
    files.close()
  })

  it('is one file for all of one path', () => {
    const files = new LogFiles({ maxOpen: 2 }, log)
    const [one, other] = [files.file(join(dir, 'a')), files.file(join(dir, 'a'))]
    append(one, 'one ')
    append(other, 'other ')
    append(one, 'one again')
    expect(content('a')).toBe('one other one again')
    expect(files.openCount).toBe(1)
    files.release(one)
    expect(files.openCount).toBe(1)
    files.release(other)
    expect(files.openCount).toBe(0)
  })
})

describe('logs that become too long', () => {
  it('become .1 and so on, as many as are kept', () => {
    const files = new LogFiles({ maxOpen: 2, maxBytes: 10, keep: 2 }, log)
    const file = files.file(join(dir, 'a'))
    for (const text of ['one two three', 'four', 'five six', 'seven eight', 'nine']) {
      append(file, text)
    }
    expect([content('a.2'), content('a.1'), content('a')]).toEqual([
      'fourfive six',
      'seven eight',
      'nine',
    ])
    expect(existsSync(join(dir, 'a.3'))).toBe(false)
    files.close()
  })

  it('lose nothing within a batch', () => {
    const files = new LogFiles({ maxOpen: 1, maxBytes: 10, keep: 9 }, log)
    const [a, b] = [files.file(join(dir, 'a')), files.file(join(dir, 'b'))]
    const batch = Buffer.from('0123456789')
    for (let round = 0; round < 6; round++) {
      files.batchBegins(batch)
      a.append(batch, round, round + 4)
      b.append(batch, round, round + 1)
      files.batchEnds()
    }
    expect([content('a.2'), content('a.1'), content('a')].join('')).toBe('012312342345345645675678')
    expect(content('b')).toBe('012345')
    files.close()
  })

  it('are thrown away where none is kept', () => {
    const files = new LogFiles({ maxOpen: 1, maxBytes: 4, keep: 0 }, log)
    const file = files.file(join(dir, 'a'))
    append(file, 'long enough')
    append(file, 'new')
    expect([content('a'), existsSync(join(dir, 'a.1'))]).toEqual(['new', false])
    files.close()
  })

  it('stay where they are no regular file', () => {
    const path = join(dir, 'a')
    execFileSync('mkfifo', [path])
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const files = new LogFiles({ maxOpen: 1, maxBytes: 4, keep: 1 }, log)
    append(files.file(path), 'long enough')
    expect([existsSync(join(dir, 'a.1')), statSync(path).isFIFO()]).toEqual([false, true])
    files.close()
    closeSync(reader)
  })

  it('grow on where they cannot be put aside, which is said', () => {
    const files = new LogFiles({ maxOpen: 1, maxBytes: 4, keep: 1 }, log)
    const file = files.file(join(dir, 'a'))
    mkdirSync(join(dir, 'a.1'))
    append(file, 'four')
    append(file, '5')
    expect([content('a'), logged.length]).toEqual(['four5', 1])
    rmSync(join(dir, 'a.1'), { recursive: true })
    append(file, '678')
    expect([content('a.1'), content('a')]).toEqual(['four5678', ''])
    files.close()
  })
})
