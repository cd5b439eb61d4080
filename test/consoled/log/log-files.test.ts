import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { GuestLog, guestLogName } from '../../../consoled/log/guest-log.ts'
import { LogFiles } from '../../../consoled/log/log-files.ts'

const RAW = { withTimestamps: false, replacesEscape: false }
const date = () => new Date(2026, 0, 2, 3, 4, 5)

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
    const files = new LogFiles(3, log)
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
    const files = new LogFiles(2, log, () => picks.shift() ?? 0)
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
    const files = new LogFiles(90, log)
    const logs = Array.from({ length: 100 }, (_, i) => files.file(join(dir, `${i}`)))
    const spy = vi.spyOn(files, 'open')
    for (let round = 0; round < 10; round++) for (const file of logs) append(file, '.')
    // Each round the ten that are missing, and those that these drive out before their turn came.
    expect(spy.mock.calls.length).toBeLessThan(600)
    for (const i of logs.keys()) expect(content(`${i}`)).toBe('..........')
    files.close()
  })

  it('gives descriptors away, and takes them back', () => {
    const files = new LogFiles(4, log)
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

  it('says once that a log cannot be written, and again after it worked in between', () => {
    const files = new LogFiles(2, log)
    const file = files.file(join(dir, 'missing', 'x'))
    append(file, 'lost')
    append(file, 'lost')
    expect(logged).toHaveLength(1)
    expect(logged[0]).toContain('ENOENT')
  })
})

describe('GuestLog', () => {
  it.each([
    ['web1', 'guest-web1.log'],
    ['../../etc/passwd', 'guest-.._.._etc_passwd.log'],
    ['a\nb\0c\x1bd', 'guest-a_b_c_d.log'],
    ['', 'guest-.log'],
  ])('the log of %j is %s', (name, file) => {
    expect(guestLogName(name)).toBe(file)
  })

  it('cuts a name that is longer than a file name may be', () => {
    expect(Buffer.byteLength(guestLogName('ä'.repeat(300)))).toBeLessThanOrEqual(255)
  })

  it('appends to what is there, and shows only its own part as history', () => {
    writeFileSync(join(dir, 'guest-a.log'), 'of an earlier guest\n')
    const guest = new GuestLog(new LogFiles(1, log), dir, 'a', true, RAW, date)
    append(guest, 'mine')
    expect(content('guest-a.log')).toBe('of an earlier guest\nmine')
    expect(guest.tail(1000).toString()).toBe('mine')
    expect(guest.tail(2).toString()).toBe('ne')
  })

  it('shows what the file holds when the guest was there before consoled', () => {
    writeFileSync(join(dir, 'guest-a.log'), 'said before; ')
    const guest = new GuestLog(new LogFiles(1, log), dir, 'a', false, RAW, date)
    append(guest, 'said now')
    expect(guest.tail(1000).toString()).toBe('said before; said now')
  })

  it('goes on in a new file after the old one was moved away and it was told so', () => {
    const guest = new GuestLog(new LogFiles(1, log), dir, 'a', true, RAW, date)
    append(guest, 'one')
    renameSync(join(dir, 'guest-a.log'), join(dir, 'guest-a.log.1'))
    append(guest, ' two')
    guest.reopen()
    append(guest, 'three')
    expect(content('guest-a.log.1')).toBe('one two')
    expect(content('guest-a.log')).toBe('three')
    expect(guest.tail(1000).toString()).toBe('three')
  })

  it('writes timestamps and says when it was opened', () => {
    const format = { withTimestamps: true, replacesEscape: false }
    const guest = new GuestLog(new LogFiles(1, log), dir, 'a', true, format, date)
    append(guest, 'boot\n')
    const stamp = '[2026-01-02 03:04:05] '
    expect(content('guest-a.log')).toBe(`${stamp}Logfile Opened\n${stamp}boot\n`)
    expect(guest.isRaw).toBe(false)
  })

  it('replaces escape characters in the file only', () => {
    const format = { withTimestamps: false, replacesEscape: true }
    const guest = new GuestLog(new LogFiles(1, log), dir, 'a', true, format, date)
    const bytes = Buffer.from('\x1b[1mbold', 'latin1')
    guest.append(bytes, 0, bytes.length)
    expect(content('guest-a.log')).toBe('.[1mbold')
    expect(bytes[0]).toBe(0x1b)
  })
})
