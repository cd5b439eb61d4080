import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fc, test } from '@fast-check/vitest'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConsoleStates, STATE_BYTES } from '../../../consoled/log/console-states.ts'
import { GuestLog } from '../../../consoled/log/guest-log.ts'
import { StampTime } from '../../../consoled/log/line-stamps.ts'
import { LogFiles } from '../../../consoled/log/log-files.ts'
import { LogListing } from '../../../consoled/log/log-listing.ts'
import { guestLogName } from '../../../consoled/log/log-name.ts'
import { UNWRITTEN_BYTES } from '../../../consoled/log/unwritten.ts'

const RAW = { withTimestamps: false, replacesEscape: false }
const STAMPED = { withTimestamps: true, replacesEscape: false }
const STAMP = '[2026-01-02 03:04:05] '
const time = new StampTime(() => new Date(2026, 0, 2, 3, 4, 5))
const log = pino({ level: 'silent' })
const A = { domid: 7, uuid: '00112233-4455-6677-8899-aabbccddeeff' }
const B = { domid: 8, uuid: 'ffeeddcc-bbaa-9988-7766-554433221100' }
const FRAME = 4711
const PORT = 3

let dir: string
let memory: ArrayBuffer

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'consoled-'))
  memory = new ArrayBuffer(STATE_BYTES)
})
afterEach(() => rmSync(dir, { recursive: true }))

function content(name: string): string {
  const path = join(dir, name)
  return existsSync(path) ? readFileSync(path, 'latin1') : ''
}

/** The log with what was put aside before it. */
function wholeLog(name = 'a'): string {
  const aside = Array.from({ length: 20 }, (_, i) => content(`guest-${name}.log.${20 - i}`))
  return `${aside.join('')}${content(`guest-${name}.log`)}`
}

interface Setting {
  readonly name?: string
  readonly isNew?: boolean
  readonly format?: typeof RAW
  readonly maxBytes?: number
  readonly console?: typeof A
  /** One console of the same consoled. */
  readonly beside?: Life
}

/** What a consoled keeps of one guest; another one with the same memory is its successor. */
class Life {
  readonly files: LogFiles
  readonly states: ConsoleStates
  readonly log: GuestLog
  position = 0

  constructor(setting: Setting = {}) {
    const { name = 'a', isNew = true, format = RAW, maxBytes, console = A, beside } = setting
    const limits = { maxOpen: 4, keep: 20, ...(maxBytes && { maxBytes }) }
    this.files = beside?.files ?? new LogFiles(limits, log)
    this.states = beside?.states ?? new ConsoleStates(memory)
    const { files, states } = this
    const services = { files, dir, format, time, states, listing: new LogListing(dir) }
    this.log = new GuestLog(services, console, name, isNew)
  }

  /** The ring is there. @param index of the first byte in it */
  begin(index = 0, port = PORT): this {
    this.position = index
    this.log.begin(FRAME, port, index)
    return this
  }

  /** As after a SIGHUP. */
  reopen(): void {
    this.files.outdate()
    this.log.reopen()
  }

  /** A batch with this. @returns how many of its bytes were known */
  append(text: string): number {
    const bytes = Buffer.from(`before${text}behind`, 'latin1')
    this.files.batchBegins(bytes)
    const known = this.log.append(bytes, 6, 6 + text.length, this.position)
    this.files.batchEnds()
    this.position = (this.position + text.length) >>> 0
    return known
  }
}

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
    expect(Buffer.byteLength(`${guestLogName('ä'.repeat(300))}.1000`)).toBeLessThanOrEqual(255)
  })

  it('appends to what is there, and shows only its own part as history', () => {
    writeFileSync(join(dir, 'guest-a.log'), 'of an earlier guest\n')
    const guest = new Life().begin()
    guest.append('mine')
    expect(content('guest-a.log')).toBe('of an earlier guest\nmine')
    expect(guest.log.tail(1000).toString()).toBe('mine')
    expect(guest.log.tail(2).toString()).toBe('ne')
  })

  it('shows what the file holds when the guest was there before consoled', () => {
    writeFileSync(join(dir, 'guest-a.log'), 'said before; ')
    const guest = new Life({ isNew: false }).begin()
    guest.append('said now')
    expect(guest.log.tail(1000).toString()).toBe('said before; said now')
  })

  it('goes on in a new file after the old one was moved away and it was told so', () => {
    const guest = new Life().begin()
    guest.append('one')
    renameSync(join(dir, 'guest-a.log'), join(dir, 'guest-a.log.1'))
    guest.append(' two')
    guest.reopen()
    guest.append('three')
    expect(content('guest-a.log.1')).toBe('one two')
    expect(content('guest-a.log')).toBe('three')
    expect(guest.log.tail(1000).toString()).toBe('one twothree')
  })

  it('goes on where what was put aside cannot be looked at', () => {
    const [path, aside] = ['guest-a.log', 'guest-a.log.1'].map((name) => join(dir, name))
    if (!path || !aside) throw new Error('two paths')
    const guest = new Life({ isNew: false }).begin()
    guest.append('one ')
    renameSync(path, `${path}-20261123`)
    symlinkSync('guest-a.log.1', aside)
    guest.reopen()
    guest.append('two')
    expect(guest.log.tail(1000).toString()).toBe('two')
    expect(guest.log.exactTail(3)?.toString()).toBe('two')
    const next = new Life({ isNew: false }).begin(guest.position)
    next.append(' three')
    unlinkSync(path)
    symlinkSync('guest-a.log', path)
    next.reopen()
    next.append('lost')
    expect(next.log.dropped).toBe(4)
  })

  it.each([
    ['another file', (path: string) => renameSync(path, `${path}-20261123`), ''],
    ['put aside', (path: string) => renameSync(path, `${path}.1`), 'mine'],
    ['copied and truncated', (path: string) => truncateSync(path, 0), ''],
    ['removed', (path: string) => unlinkSync(path), ''],
  ])('shows all that the log holds since it was %s', (_, change, before) => {
    const path = join(dir, 'guest-a.log')
    writeFileSync(path, 'of an earlier guest\n')
    const guest = new Life().begin()
    guest.append('mine')
    change(path)
    guest.reopen()
    for (let i = 0; i < 9; i++) guest.append('anew')
    expect(guest.log.tail(1000).toString()).toBe(before + 'anew'.repeat(9))
  })

  it('shows all of a log that was truncated while it was open', () => {
    writeFileSync(join(dir, 'guest-a.log'), 'of another')
    const guest = new Life().begin()
    guest.append('mine')
    truncateSync(join(dir, 'guest-a.log'), 0)
    guest.append('longer than that before')
    expect(guest.log.tail(1000).toString()).toBe('longer than that before')
  })

  it('is opened anew by its next line, and once only', () => {
    const guest = new Life({ format: STAMPED }).begin()
    renameSync(join(dir, 'guest-a.log'), join(dir, 'old'))
    guest.files.outdate()
    guest.append('one\n')
    guest.log.reopen()
    expect(content('old')).toBe(`${STAMP}Logfile Opened\n`)
    expect(content('guest-a.log')).toBe(`${STAMP}Logfile Opened\n${STAMP}one\n`)
    guest.files.outdate()
    guest.log.close()
    rmSync(join(dir, 'guest-a.log'))
    guest.log.reopen()
    expect(existsSync(join(dir, 'guest-a.log'))).toBe(false)
  })

  it('is announced together with others in one write', () => {
    const guest = new Life({ format: STAMPED }).begin()
    guest.files.outdate()
    const before = content('guest-a.log')
    guest.files.together(() => {
      guest.log.reopen()
      expect(content('guest-a.log')).toBe(before)
    })
    expect(content('guest-a.log')).toBe(before + before)
  })

  it('writes timestamps and says when it was opened', () => {
    const guest = new Life({ format: STAMPED }).begin()
    guest.append('boot\n')
    expect(content('guest-a.log')).toBe(`${STAMP}Logfile Opened\n${STAMP}boot\n`)
    expect(guest.log.isRaw).toBe(false)
  })

  it('tells what the guest said without the timestamps, from the beginning of a line', () => {
    const guest = new Life({ format: STAMPED }).begin()
    guest.append('one\ntwo\nthree')
    expect(guest.log.said(1000).toString()).toBe('one\ntwo\nthree')
    expect(guest.log.said(9).toString()).toBe('')
    expect(guest.log.said(15).toString()).toBe('three')
    expect(guest.log.said(28).toString()).toBe('two\nthree')
  })

  it('says when it was opened with the time, also while the guest stands in the midst of a line', () => {
    const guest = new Life({ format: STAMPED }).begin()
    guest.append('login: ')
    renameSync(join(dir, 'guest-a.log'), join(dir, 'guest-a.log.1'))
    guest.reopen()
    guest.append('root\n')
    expect(content('guest-a.log')).toBe(`${STAMP}Logfile Opened\n${STAMP}root\n`)
    expect(guest.log.said(100).toString()).toBe('login: root\n')
  })

  it('replaces escape characters in the file only', () => {
    const guest = new Life({ format: { withTimestamps: false, replacesEscape: true } }).begin()
    const bytes = Buffer.from('\x1b[1mbold', 'latin1')
    guest.log.append(bytes, 0, bytes.length, 0)
    expect(content('guest-a.log')).toBe('.[1mbold')
    expect(bytes[0]).toBe(0x1b)
  })

  it('serves what was printed since a place, as long as nothing came between', () => {
    const guest = new Life({ maxBytes: 10 }).begin()
    for (const text of ['one two ', 'three four ', 'five']) guest.append(text)
    expect(guest.log.exactTail(15)?.toString()).toBe('three four five')
    expect(guest.log.tail(15).toString()).toBe('three four five')
    // Two lengths ago.
    expect(guest.log.exactTail(23)?.toString()).toBe('one two three four five')
    expect(guest.log.exactTail(24)).toBeUndefined()
    expect(guest.log.exactTail(23, 6)?.toString()).toBe('one tw')
    expect(guest.log.exactTail(23, 12)?.toString()).toBe('one two thre')
    expect(guest.log.exactTail(9, 4)?.toString()).toBe('four')
    truncateSync(join(dir, 'guest-a.log'), 0)
    guest.append('six')
    expect(guest.log.exactTail(3)).toBeUndefined()
    guest.append('7')
    expect(guest.log.exactTail(1)?.toString()).toBe('7')
  })
})

describe('a raw log that others put aside', () => {
  const putAside = (guest: Life, to = 'guest-a.log.1') => {
    renameSync(join(dir, 'guest-a.log'), join(dir, to))
    guest.reopen()
  }

  it('is known back to where it was before', () => {
    const guest = new Life().begin()
    guest.append('one ')
    putAside(guest)
    expect(guest.log.exactTail(4)?.toString()).toBe('one ')
    guest.append('two ')
    expect(guest.log.exactTail(8)?.toString()).toBe('one two ')
    putAside(guest)
    guest.append('three')
    expect(guest.log.exactTail(9)?.toString()).toBe('two three')
    expect(guest.log.exactTail(10)).toBeUndefined()
  })

  it('is not where it is not found, or another guest has written to it since', () => {
    const guest = new Life().begin()
    guest.append('one ')
    putAside(guest, 'guest-a.log-20261123')
    guest.append('two ')
    expect(guest.log.exactTail(4)?.toString()).toBe('two ')
    expect(guest.log.exactTail(5)).toBeUndefined()
    const other = new Life({ console: B, beside: guest }).begin()
    other.append('secret ')
    putAside(guest)
    guest.append('three')
    expect(guest.log.exactTail(5)?.toString()).toBe('three')
    expect(guest.log.exactTail(6)).toBeUndefined()
  })
})

describe('a log that cannot be written', () => {
  const path = () => join(dir, 'guest-a.log')

  /** In place of the log, of which this is `.1`; made as it was by the next call. */
  function fillDisk(): () => void {
    renameSync(path(), `${path()}.1`)
    symlinkSync('/dev/full', path())
    return () => {
      unlinkSync(path())
      renameSync(`${path()}.1`, path())
    }
  }

  it('is not what viewers are shown: what was lost first, and what followed, is', () => {
    const guest = new Life().begin()
    guest.append('kept. ')
    const free = fillDisk()
    guest.reopen()
    guest.append('lost first, ')
    expect(guest.log.tail(100).toString()).toBe('kept. lost first, ')
    guest.append('lost next, ')
    expect(guest.log.tail(100).toString()).toBe('kept. lost first, lost next, ')
    expect(guest.log.tail(5).toString()).toBe('ext, ')
    expect(guest.log.exactTail(23)?.toString()).toBe('lost first, lost next, ')
    expect(guest.log.exactTail(23, 4)?.toString()).toBe('lost')
    expect(guest.log.exactTail(24)).toBeUndefined()
    free()
    guest.reopen()
    guest.append('kept again')
    expect(content('guest-a.log')).toBe('kept. kept again')
    // With the gap the log is not what the guest said.
    expect(guest.log.tail(100).toString()).toBe('kept. lost first, lost next, kept again')
    expect(guest.log.exactTail(21)?.toString()).toBe('lost next, kept again')
    // It is again as soon as it goes back as far as what was kept.
    for (let i = 0; i < 3; i++) guest.append('x'.repeat(UNWRITTEN_BYTES / 2))
    expect(guest.log.tail(9999).toString()).toBe(
      `kept. kept again${'x'.repeat((3 * UNWRITTEN_BYTES) / 2)}`,
    )
    expect(guest.log.exactTail(UNWRITTEN_BYTES + 2000)?.length).toBe(UNWRITTEN_BYTES + 2000)
  })

  it('is told apart from what others wrote in the same batch', () => {
    const guest = new Life().begin()
    const other = new Life({ name: 'b', console: B, beside: guest }).begin()
    fillDisk()
    guest.reopen()
    guest.files.together(() => {
      for (const text of ['one ', 'two ']) {
        guest.log.append(Buffer.from(text), 0, 4, guest.position)
        other.log.append(Buffer.from('other '), 0, 6, other.position)
        guest.position += 4
        other.position += 6
      }
    })
    expect(guest.log.tail(100).toString()).toBe('one two ')
    expect(other.log.tail(100).toString()).toBe('other other ')
  })

  it('shows nobody what another guest of that name has lost', () => {
    const one = new Life().begin()
    const other = new Life({ console: B, beside: one }).begin()
    one.append('kept')
    fillDisk()
    one.reopen()
    other.reopen()
    one.append('a secret')
    expect(other.log.tail(100).toString()).toBe('')
    other.append('mine')
    expect(other.log.tail(100).toString()).toBe('mine')
    expect(other.log.exactTail(5)).toBeUndefined()
  })

  it('that cannot even be opened is not shown either', () => {
    const guest = new Life().begin()
    guest.append('kept. ')
    renameSync(path(), `${path()}.1`)
    symlinkSync('guest-a.log', path())
    guest.reopen()
    guest.append('lost')
    expect(guest.log.tail(100).toString()).toBe('lost')
    guest.log.append(Buffer.from('elsewhere'), 0, 9, 1_000_000)
    expect(guest.log.exactTail(9)?.toString()).toBe('elsewhere')
    expect(guest.log.exactTail(10)).toBeUndefined()
  })

  it('with timestamps says nothing, for what was said last is in memory', () => {
    const guest = new Life({ format: STAMPED }).begin()
    guest.append('kept\n')
    expect(guest.log.said(100).toString()).toContain('kept\n')
    const free = fillDisk()
    guest.reopen()
    guest.append('lost\n')
    expect(guest.log.said(100).toString()).toBe('')
    free()
    guest.reopen()
    guest.append('again\n')
    expect(guest.log.said(100).toString()).toContain('again\n')
  })
})

describe('a raw log of two guests of one name', () => {
  /** Two consoles of one consoled. */
  function aPair(maxBytes = 0): [Life, Life] {
    const one = new Life({ maxBytes })
    const other = new Life({ console: B, beside: one })
    return [one.begin(), other.begin()]
  }

  it('gives nobody the bytes of the other', () => {
    const [one, other] = aPair()
    one.append('one says this')
    expect(one.log.exactTail(4)?.toString()).toBe('this')
    other.append('a secret')
    expect(one.log.exactTail(4)).toBeUndefined()
    expect(other.log.exactTail(6)?.toString()).toBe('secret')
    one.append('again')
    expect(other.log.exactTail(6)).toBeUndefined()
    expect(one.log.exactTail(5)?.toString()).toBe('again')
    expect(one.log.exactTail(6)).toBeUndefined()
  })

  it('does not when it is put aside meanwhile either', () => {
    const [one, other] = aPair(20)
    one.append('one says this')
    other.append('a secret')
    expect(existsSync(join(dir, 'guest-a.log.1'))).toBe(true)
    expect(one.log.exactTail(4)).toBeUndefined()
    one.append('again')
    expect(one.log.exactTail(6)).toBeUndefined()
    expect(one.log.exactTail(5)?.toString()).toBe('again')
  })

  it('does not when they are written in one batch', () => {
    const [one, other] = aPair()
    const bytes = Buffer.from('one says thisa secret', 'latin1')
    one.files.batchBegins(bytes)
    one.log.append(bytes, 0, 13, 0)
    other.log.append(bytes, 13, 21, 0)
    expect(one.log.exactTail(4)).toBeUndefined()
    expect(other.log.exactTail(6)?.toString()).toBe('secret')
    one.files.batchEnds()
  })
})

describe('a raw log after a kill', () => {
  /** Printed and given back; printed and not; and what the guest prints then. */
  const LIVES = ['first line\n', 'second line\n', 'third line\n'] as const

  it('goes on with what was in the ring and not in the log', () => {
    new Life().begin().append(LIVES[0])
    const next = new Life({ isNew: false }).begin(LIVES[0].length)
    expect(next.append(LIVES[1])).toBe(0)
    expect(content('guest-a.log')).toBe('first line\nsecond line\n')
  })

  it('leaves out what was in the ring and in the log', () => {
    const killed = new Life().begin()
    killed.append(LIVES[0])
    killed.append(LIVES[1])
    const next = new Life({ isNew: false })
    const at = LIVES[0].length
    expect(next.log.begin(FRAME, PORT, at)).toBe(at + LIVES[1].length)
    next.position = at
    expect(next.append(LIVES[1] + LIVES[2])).toBe(LIVES[1].length)
    expect(content('guest-a.log')).toBe(LIVES.join(''))
    expect(next.log.exactTail(LIVES.join('').length)?.toString()).toBe(LIVES.join(''))
  })

  it('is finished where the write was cut off', () => {
    const killed = new Life().begin()
    killed.append(LIVES[0])
    killed.append(LIVES[1])
    truncateSync(join(dir, 'guest-a.log'), LIVES[0].length + 4)
    const next = new Life({ isNew: false }).begin(LIVES[0].length)
    expect(next.append(LIVES[1])).toBe(4)
    expect(content('guest-a.log')).toBe(LIVES[0] + LIVES[1])
  })

  it('keeps everything when the log is not what was left', () => {
    const killed = new Life().begin()
    killed.append(LIVES[0])
    killed.append(LIVES[1])
    const path = join(dir, 'guest-a.log')
    const changes: readonly [string, () => void, string][] = [
      ['truncated', () => truncateSync(path, 0), LIVES[1]],
      ['longer', () => appendFileSync(path, 'of somebody else\n'), `${LIVES[1]}`],
      ['removed', () => unlinkSync(path), LIVES[1]],
    ]
    for (const [what, change, added] of changes) {
      change()
      const before = content('guest-a.log')
      const saved = memory.slice(0)
      const next = new Life({ isNew: false }).begin(LIVES[0].length)
      expect([what, next.append(LIVES[1])]).toEqual([what, 0])
      expect(content('guest-a.log')).toBe(before + added)
      memory = saved
    }
  })

  it('leaves out what is in a log that was put aside meanwhile', () => {
    const killed = new Life().begin()
    killed.append(LIVES[0])
    killed.append(LIVES[1])
    renameSync(join(dir, 'guest-a.log'), join(dir, 'guest-a.log.1'))
    const next = new Life({ isNew: false }).begin(LIVES[0].length)
    expect(next.append(LIVES[1] + LIVES[2])).toBe(LIVES[1].length)
    expect([content('guest-a.log.1'), content('guest-a.log')]).toEqual([
      LIVES[0] + LIVES[1],
      LIVES[2],
    ])
  })

  it.each([
    ['in place', () => undefined],
    ['put aside', (path: string) => renameSync(path, `${path}.1`)],
  ])('is known back to where it was before, before the guest speaks and after: %s', (_, move) => {
    const killed = new Life().begin()
    killed.append(LIVES[0])
    killed.append(LIVES[1])
    move(join(dir, 'guest-a.log'))
    const next = new Life({ isNew: false }).begin(LIVES[0].length)
    expect(next.log.exactTail(12 + 11)?.toString()).toBe(LIVES[0] + LIVES[1])
    next.append(LIVES[1] + LIVES[2])
    expect(next.log.exactTail(12 + 11)?.toString()).toBe(LIVES[1] + LIVES[2])
  })

  it.each([
    ['raw', RAW],
    ['stamped', STAMPED],
  ])('leaves out what is in a log that others gave a name of theirs: %s', (_, format) => {
    const path = join(dir, 'guest-a.log')
    const killed = new Life({ format }).begin()
    killed.append(LIVES[0])
    renameSync(path, `${path}-20261123`)
    killed.append(LIVES[1])
    const next = new Life({ isNew: false, format }).begin(LIVES[0].length)
    expect(next.append(LIVES[1] + LIVES[2])).toBe(LIVES[1].length)
    expect(content('guest-a.log-20261123')).toContain('second')
    expect(content('guest-a.log')).not.toContain('second')
    expect(content('guest-a.log')).toContain('third')
  })

  it('of another domain, or another ring, is not looked at', () => {
    const killed = new Life().begin()
    killed.append('login: ')
    const rebooted = { ...A, uuid: 'ffeeddcc-bbaa-9988-7766-554433221100' }
    expect(new Life({ console: rebooted }).begin().append('login: ')).toBe(0)
    const again = new Life().begin()
    again.append('login: ')
    expect(new Life({ isNew: false }).begin(0, PORT + 1).append('login: ')).toBe(0)
    expect(content('guest-a.log')).toBe('login: '.repeat(4))
  })

  it.each([
    ['raw', RAW],
    ['stamped', STAMPED],
  ])('of a domid that was used again is not forgotten by who had it before: %s', (_, format) => {
    const old = new Life({ format }).begin()
    old.append('old\n')
    const reused = { ...A, uuid: B.uuid }
    const next = new Life({ format, name: 'b', console: reused, beside: old }).begin()
    next.append(LIVES[0])
    // What it has said last is still taken, of a file that has become another one, too.
    truncateSync(join(dir, 'guest-a.log'), 0)
    old.append('last words\n')
    old.log.close()
    old.log.end()
    const at = next.position
    next.append(LIVES[1])
    const last = new Life({ format, name: 'b', console: reused, isNew: false }).begin(at)
    expect(last.append(LIVES[1] + LIVES[2])).toBe(LIVES[1].length)
    expect(content('guest-b.log').match(/(first|second|third) line\n/g)).toEqual([...LIVES])
  })

  it('of two guests of one name keeps every line of both', () => {
    const one = new Life().begin()
    const other = new Life({ console: B }).begin()
    for (let i = 0; i < 5; i++) {
      one.append(`one ${i}\n`)
      other.append(`other ${i}\n`)
    }
    const [next, nextOther] = [
      new Life({ isNew: false }).begin(one.position),
      new Life({ isNew: false, console: B }).begin(other.position),
    ]
    next.append('one 5\n')
    nextOther.append('other 5\n')
    const lines = content('guest-a.log').trimEnd().split('\n').toSorted()
    const all = ['one', 'other'].flatMap((who) => [0, 1, 2, 3, 4, 5].map((i) => `${who} ${i}`))
    expect(lines).toEqual(all)
  })

  it('of a disk that was full goes on behind the gap', () => {
    const guest = new Life().begin()
    guest.append('kept ')
    guest.files.flush()
    const path = join(dir, 'guest-a.log')
    renameSync(path, join(dir, 'real'))
    symlinkSync('/dev/full', path)
    guest.reopen()
    guest.append('lost ')
    expect([guest.log.bytes, guest.log.dropped]).toEqual([5, 5])
    unlinkSync(path)
    renameSync(join(dir, 'real'), path)
    guest.reopen()
    guest.append('kept too')
    expect(content('guest-a.log')).toBe('kept kept too')
    const next = new Life({ isNew: false }).begin(10)
    expect(next.append('kept too!')).toBe(8)
    expect(content('guest-a.log')).toBe('kept kept too!')
  })

  const aBatch = fc.record({
    text: fc.string({ unit: fc.constantFrom('a', 'b', '\n'), minLength: 1, maxLength: 40 }),
    /** Killed: not; before the write; in the middle of it; after it, before the ring is told. */
    kill: fc.constantFrom('no', 'no', 'before', 'within', 'after'),
    cut: fc.nat(40),
  })
  test.prop(
    [fc.array(aBatch, { maxLength: 15 }), fc.constantFrom(0, 50, 100), fc.nat(2 ** 32 - 1)],
    { numRuns: 60 },
  )(
    'holds everything once, however often and whenever',
    (batches, maxBytes, start) => {
      rmSync(dir, { recursive: true })
      dir = mkdtempSync(join(tmpdir(), 'consoled-'))
      memory = new ArrayBuffer(STATE_BYTES)
      let life = new Life({ maxBytes }).begin(start)
      let waiting = ''
      for (const { text, kill, cut } of batches) {
        waiting += text
        const at = life.position
        if (kill !== 'before') {
          const saved = memory.slice(0)
          const sizeBefore = content('guest-a.log').length
          const rotations = existsSync(join(dir, 'guest-a.log.1'))
          life.append(waiting)
          const isInOneFile = content('guest-a.log').length > sizeBefore && !rotations
          if (kill === 'within' && isInOneFile && maxBytes === 0) {
            const size = content('guest-a.log').length
            truncateSync(join(dir, 'guest-a.log'), Math.max(sizeBefore, size - cut))
            memory = saved
          }
        }
        if (kill === 'no') waiting = ''
        else life = new Life({ isNew: false, maxBytes }).begin(at)
      }
      life.append(waiting)
      expect(wholeLog()).toBe(batches.map(({ text }) => text).join(''))
    },
    60_000,
  )
})

describe('a log with timestamps after a kill', () => {
  const lines = (count: number, from = 0) =>
    Array.from({ length: count }, (_, i) => `line ${from + i}\n`).join('')

  function logged(): string[] {
    const own = wholeLog()
      .split('\n')
      .filter((line) => line !== '')
    return own.map((line) => line.replaceAll(STAMP, '')).filter((line) => line !== 'Logfile Opened')
  }

  it('repeats nothing that was written whole', () => {
    const killed = new Life({ format: STAMPED }).begin()
    killed.append(lines(3))
    const at = killed.position
    killed.append(lines(3, 3))
    const next = new Life({ format: STAMPED, isNew: false }).begin(at)
    expect(next.append(lines(4, 3))).toBe(lines(3, 3).length)
    expect(logged()).toEqual(lines(7).trimEnd().split('\n'))
  })

  it('repeats nothing when it is killed again before the guest speaks', () => {
    const killed = new Life({ format: STAMPED }).begin()
    killed.append(lines(3))
    for (let i = 0; i < 3; i++) new Life({ format: STAMPED, isNew: false }).begin(0)
    const next = new Life({ format: STAMPED, isNew: false }).begin(0)
    next.append(lines(4))
    expect(logged()).toEqual(lines(4).trimEnd().split('\n'))
  })

  it('repeats a line at most that was cut off', () => {
    const killed = new Life({ format: STAMPED }).begin()
    killed.append(lines(2))
    const at = killed.position
    killed.append(lines(5, 2))
    truncateSync(join(dir, 'guest-a.log'), content('guest-a.log').indexOf('line 4') + 3)
    const next = new Life({ format: STAMPED, isNew: false }).begin(at)
    next.append(lines(5, 2))
    expect(logged()).toEqual([
      'line 0',
      'line 1',
      'line 2',
      'line 3',
      'linLogfile Opened',
      'line 4',
      'line 5',
      'line 6',
    ])
  })

  it('repeats nothing when it was put aside in the same turn', () => {
    const killed = new Life({ format: STAMPED, maxBytes: 100 }).begin()
    killed.append(lines(2))
    const at = killed.position
    killed.append(lines(5, 2))
    const next = new Life({ format: STAMPED, isNew: false, maxBytes: 100 }).begin(at)
    next.append(lines(6, 2))
    expect(logged()).toEqual(lines(8).trimEnd().split('\n'))
  })
})
