import { join } from 'node:path'
import { fc, test } from '@fast-check/vitest'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Journal, journalFields } from '../../../consoled/log/journal.ts'
import { JOURNAL_LINE_MAX, JournalLog } from '../../../consoled/log/journal-log.ts'
import { openDatagrams } from '../../../native/os/datagrams.ts'
import { makeLog } from '../../../native/os/log.ts'
import { buildReceiver, JournalReceiver, parseEntry } from '../../support/a-journal.ts'
import { aFolder } from '../../support/a-socket-peer.ts'
import { until } from '../console-guest.ts'
import { ManualClock } from '../manual-clock.ts'

const WEB = { identifier: 'consoled', domid: 7, uuid: 'some-uuid', name: 'web' }

const programs = aFolder()
let program: string
beforeAll(() => {
  program = buildReceiver(programs.path)
})
afterAll(() => programs.remove())

let folder: ReturnType<typeof aFolder>
let path: string
let clock: ManualClock
let logged: string[]
let dropped: number
let receivers: JournalReceiver[]
let journals: Journal[]

beforeEach(() => {
  folder = aFolder()
  path = join(folder.path, 'socket')
  clock = new ManualClock()
  logged = []
  dropped = 0
  receivers = []
  journals = []
})
afterEach(async () => {
  for (const journal of journals) journal.close()
  for (const receiver of receivers) await receiver.stop()
  folder.remove()
})

async function aReceiver(): Promise<JournalReceiver> {
  const receiver = await JournalReceiver.start(program, path)
  receivers.push(receiver)
  return receiver
}

function aJournal(): Journal {
  const { log } = makeLog({ name: 'test', level: 'info' }, { write: (line) => logged.push(line) })
  const journal = new Journal({
    connect: () => openDatagrams(path),
    losses: {
      journalDropped: (bytes) => {
        dropped += bytes
      },
    },
    clock,
    log,
  })
  journals.push(journal)
  return journal
}

function print(log: JournalLog, text: string | Buffer): void {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text
  // As in a batch: there are bytes of others around it.
  const around = Buffer.concat([Buffer.from('before\n'), bytes, Buffer.from('behind\n')])
  log.append(around, 7, 7 + bytes.length)
}

describe('the journal', () => {
  it('has an entry for each line, with the guest in its fields', async () => {
    const receiver = await aReceiver()
    const journal = aJournal()
    const log = new JournalLog(journal, journalFields(WEB), false)
    print(log, 'Linux version 6.1\r\n\r\n[    0.0] Comm')
    print(log, 'and line\nlogin: ')
    journal.flush()
    await until(() => receiver.entries.length === 2)
    expect(receiver.entries.map((entry) => Object.fromEntries(entry))).toEqual(
      ['Linux version 6.1', '[    0.0] Command line'].map((MESSAGE) => ({
        PRIORITY: '6',
        SYSLOG_IDENTIFIER: 'consoled',
        XEN_DOMID: '7',
        XEN_UUID: 'some-uuid',
        XEN_NAME: 'web',
        MESSAGE,
      })),
    )
  })

  it('gets a line that was never completed when the console ends', async () => {
    const receiver = await aReceiver()
    const journal = aJournal()
    const log = new JournalLog(journal, journalFields(WEB), false)
    print(log, 'panic: out of everything')
    journal.flush()
    log.close()
    await until(() => receiver.entries.length === 1)
    expect(receiver.messages).toEqual(['panic: out of everything'])
  })

  it('cuts a line that is too long into several, none of them within a character', async () => {
    const receiver = await aReceiver()
    const journal = aJournal()
    const whole = `${'a'.repeat(JOURNAL_LINE_MAX - 1)}€${'b'.repeat(JOURNAL_LINE_MAX)}`
    const log = new JournalLog(journal, journalFields(WEB), false)
    print(log, `${whole}\n`)
    for (let at = 0; at < whole.length; at += 1000) print(log, whole.slice(at, at + 1000))
    print(log, '\n')
    journal.flush()
    await until(() => receiver.entries.length === 6)
    const messages = receiver.messages.map((message) => message ?? '')
    for (const message of messages) {
      expect(Buffer.byteLength(message)).toBeLessThanOrEqual(JOURNAL_LINE_MAX)
    }
    expect(messages.slice(0, 3).join('')).toBe(whole)
    expect(messages.slice(3).join('')).toBe(whole)
  })

  it('replaces escape characters where it is told so', async () => {
    const receiver = await aReceiver()
    const journal = aJournal()
    print(new JournalLog(journal, journalFields(WEB), true), '\u001b[31mred\n')
    print(new JournalLog(journal, journalFields(WEB), false), '\u001b[31mred\n')
    journal.flush()
    await until(() => receiver.entries.length === 2)
    expect(receiver.messages).toEqual(['.[31mred', '\u001b[31mred'])
  })

  it('gets nothing forged from a guest, nor from the name of one', async () => {
    const receiver = await aReceiver()
    const journal = aJournal()
    const name = 'web\nXEN_DOMID=0\nMESSAGE=all is well\n'
    const log = new JournalLog(journal, journalFields({ ...WEB, name }), false)
    print(log, 'MESSAGE=hello\u0000\rXEN_DOMID=0\rPRIORITY=0\u0000\n')
    print(
      log,
      Buffer.from('_PID=1\nMESSAGE\n\u0005\u0000\u0000\u0000\u0000\u0000\u0000\u0000hello\n'),
    )
    journal.flush()
    await until(() => receiver.entries.length === 4)
    for (const entry of receiver.entries) {
      expect([entry.get('XEN_DOMID'), entry.get('XEN_NAME'), entry.size]).toEqual(['7', name, 6])
    }
    expect(receiver.messages[0]).toBe('MESSAGE=hello\u0000\rXEN_DOMID=0\rPRIORITY=0\u0000')
    expect(receiver.messages.slice(1, 3)).toEqual(['_PID=1', 'MESSAGE'])
  })

  it('that does not keep up loses what is too much, counted and said once', async () => {
    const receiver = await aReceiver()
    receiver.pause()
    const journal = aJournal()
    const log = new JournalLog(journal, journalFields(WEB), false)
    const line = `${'x'.repeat(999)}\n`
    let printed = 0
    for (; dropped < 2000 * line.length; printed++) {
      print(log, line)
      if (printed % 10 === 0) journal.flush()
    }
    expect(journal.waitingBytes).toBeLessThanOrEqual(4 * 2 ** 20)
    receiver.resume()
    const expected = printed - dropped / 999
    await until(() => receiver.entries.length === expected)
    await until(() => journal.waitingBytes === 0)
    print(log, 'after\n')
    journal.flush()
    await until(() => receiver.messages.at(-1) === 'after')
    const messages = logged.map((line) => JSON.parse(line).msg)
    expect(messages).toEqual([
      'the journal does not keep up: lines are left out',
      'the journal keeps up again; so many were left out',
    ])
    expect(JSON.parse(logged[1] ?? '').lines).toBe(dropped / 999)
  })

  it('that was restarted is found again, and lines have waited for it', async () => {
    const first = await aReceiver()
    const journal = aJournal()
    const log = new JournalLog(journal, journalFields(WEB), false)
    print(log, 'one\n')
    journal.flush()
    await until(() => first.entries.length === 1)
    await first.stop()
    receivers.pop()
    print(log, 'two\n')
    journal.flush()
    clock.advance(100)
    clock.advance(200)
    const second = await aReceiver()
    print(log, 'three\n')
    journal.flush()
    expect(second.entries).toEqual([])
    clock.advance(10_000)
    await until(() => second.entries.length === 2)
    expect(second.messages).toEqual(['two', 'three'])
    expect(logged.map((line) => JSON.parse(line).msg)).toEqual([
      'the journal cannot be reached; lines wait for it',
      'the journal is back',
    ])
    expect(clock.timers).toBe(0)
  })

  it('that is not there from the beginning is waited for, without a timer while nothing waits', async () => {
    const journal = aJournal()
    clock.advance(60_000)
    expect(clock.timers).toBe(0)
    print(new JournalLog(journal, journalFields(WEB), false), 'early\n')
    journal.flush()
    expect(clock.timers).toBe(1)
    const receiver = await aReceiver()
    clock.advance(60_000)
    await until(() => receiver.entries.length === 1)
    expect([receiver.messages, clock.timers]).toEqual([['early'], 0])
  })

  it('gets what waits when the daemon stops', async () => {
    const receiver = await aReceiver()
    const journal = aJournal()
    const log = new JournalLog(journal, journalFields(WEB), false)
    print(log, 'one\ntwo')
    log.close()
    journal.close()
    await until(() => receiver.entries.length === 2)
    expect(receiver.messages).toEqual(['one', 'two'])
  })
})

test.prop([
  fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }),
  fc.array(fc.nat({ max: 60 }), { minLength: 1, maxLength: 50 }),
])('whatever a guest prints, in whatever pieces, is one valid entry a line', (texts, cuts) => {
  const datagrams: Buffer[] = []
  const journal = new Journal({
    connect: () => ({
      send(bytes, ends, first, last) {
        for (let i = first; i < last; i++) {
          datagrams.push(Buffer.from(bytes.subarray(i === 0 ? 0 : ends[i - 1], ends[i])))
        }
        return last - first
      },
      onWritable: () => undefined,
      close: () => undefined,
    }),
    losses: { journalDropped: () => expect.unreachable() },
    clock: new ManualClock(),
    log: makeLog({ name: 'test', level: 'fatal' }, { write: () => undefined }).log,
  })
  const log = new JournalLog(journal, journalFields(WEB), false)
  const all = Buffer.concat(texts.map((text) => Buffer.concat([text, Buffer.from('\n')])))
  for (let at = 0, i = 0; at < all.length; i++) {
    const end = Math.min(all.length, at + 1 + (cuts[i % cuts.length] as number))
    log.append(all, at, end)
    at = end
  }
  journal.flush()
  const expected = all
    .toString('utf8')
    .split('\n')
    .map((line) => line.replace(/\r+$/, ''))
    .filter((line) => line !== '')
  expect(datagrams.map((datagram) => parseEntry(datagram).get('MESSAGE'))).toEqual(expected)
})
