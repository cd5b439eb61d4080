import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { HeldRequests } from '../../../lixs/live-update/held-requests.ts'
import { LiveUpdate } from '../../../lixs/live-update/live-update.ts'
import { liveUpdateCommands } from '../../../lixs/live-update/live-update-commands.ts'
import { XS_READ, XS_TRANSACTION_START } from '../../../lixs/wire/ops.ts'
import { CONNECTION_PAUSED, CONNECTION_WORDS, type ConnectionId } from '../../../native/ring-set.ts'
import { aFolder } from '../../support/a-socket-peer.ts'
import { TestTimers } from '../../support/test-timers.ts'
import { aStore, type Client, type TestStore } from '../store/a-store.ts'
import { restoredFrom, sourceOf, TestHandover } from './a-saved-store.ts'

const ASKER = { connection: 1 as ConnectionId, reqId: 4, txId: 0 }

let store: TestStore
let socket: Client
let handover: TestHandover
let timers: TestTimers
let held: HeldRequests
let answers: string[]
let becomes: (readonly [string | undefined, string | undefined, readonly number[], Buffer])[]
let stateFile: string
let resumed: number[]
let steps: string[]

beforeEach(() => {
  const folder = aFolder()
  onTestFinished(() => folder.remove())
  stateFile = join(folder.path, 'state_dump')
  store = aStore()
  store.socket()
  socket = store.socket()
  handover = new TestHandover()
  handover.addSocket(1, 5)
  handover.addSocket(2, 6)
  store.socket()
  timers = new TestTimers()
  answers = []
  becomes = []
  resumed = []
  steps = []
  handover.releaseVirqs = () => steps.push('released')
  handover.bindVirqs = () => steps.push('bound')
})

function commands(onBecome: () => void = () => undefined) {
  const rings = {
    connections: handover.words,
    handover,
    resume: (id: ConnectionId) => void resumed.push(id),
  }
  held = new HeldRequests(rings, (id) => store.store.hasTransaction(id))
  const update = new LiveUpdate({
    held,
    handover,
    connections: handover.words,
    timers,
    log: pino({ level: 'silent' }),
    store: store.store,
    flush: () => steps.push('flushed'),
    holders: () => 'domain 0 (1)',
    source: () => sourceOf(store, handover),
    answer: ({ connection, reqId }, text) => answers.push(`${connection} ${reqId} ${text}`),
    succession: {
      stateFile,
      pidFileFd: 9,
      become(program, commandLine, keptOpen) {
        expect(statSync(stateFile).mode & 0o777).toBe(0o600)
        becomes.push([program, commandLine, keptOpen, readFileSync(stateFile)])
        onBecome()
        throw new Error('it cannot be started')
      },
    },
  })
  const [command] = liveUpdateCommands(update)
  return {
    update,
    run(...words: readonly string[]): string {
      const answer = command?.run(words, { ...ASKER })
      if (answer?.kind === 'text') return answer.text
      return answer?.kind === 'error' ? answer.errno : 'later'
    },
  }
}

test('with no transaction open the next program gets the state at once, and all descriptors', () => {
  const { run } = commands()
  handover.events = 8
  expect(run('-f', '/bin/true')).toBe('OK')
  expect(run('-c', '--a b')).toBe('OK')
  expect(run('-s')).toBe('later')
  timers.pass(1)
  expect(becomes).toHaveLength(1)
  const [program, commandLine, keptOpen, state] = becomes[0] ?? []
  expect([program, commandLine]).toEqual(['/bin/true', '--a b'])
  expect(keptOpen).toEqual([3, 8, 9, 5, 6])
  const restored = restoredFrom(state ?? Buffer.alloc(0))
  expect(restored.client(1).directory('/')).toEqual(['tool'])
  // The answer to -s is among what is to be sent yet.
  const unsent = restored.handover.unsentOf(1 as ConnectionId)
  expect(Buffer.from(unsent.subarray(16)).toString('latin1')).toBe('OK\0')
})

test('a program that does not start is told in words, and everything goes on', () => {
  const { run } = commands()
  expect(run('-s')).toBe('later')
  timers.pass(1)
  expect(answers).toEqual(['1 4 it cannot be started'])
  expect(existsSync(stateFile)).toBe(false)
  expect(steps).toEqual(['flushed', 'released', 'bound'])
  expect(held.isOn).toBe(false)
  expect(resumed).toEqual([1])
  expect(timers.pending).toBe(0)
})

test('the start waits for the end of open transactions', () => {
  const { run } = commands()
  const other = store.socket()
  const tx = other.start()
  run('-s')
  timers.pass(30_000)
  expect(becomes).toEqual([])
  other.commit(tx)
  timers.pass(100)
  expect(becomes).toHaveLength(1)
})

test('transactions that stay open until the timeout stop it, and are told', () => {
  const { run } = commands()
  store.socket().start()
  run('-s', '-t', '5')
  timers.pass(4900)
  expect(answers).toEqual([])
  timers.pass(200)
  expect(answers).toEqual(['1 4 transactions are still open: domain 0 (1)'])
  expect(becomes).toEqual([])
})

test('-F gives transactions up that are older than the timeout', () => {
  const { run } = commands()
  store.socket().start()
  run('-s', '-F', '-t', '5')
  timers.pass(4900)
  expect(becomes).toEqual([])
  timers.pass(200)
  expect(becomes).toHaveLength(1)
})

test('-a stops what is pending', () => {
  const { run } = commands()
  store.socket().start()
  expect(run('-a')).toBe('no live update has begun')
  run('-s')
  expect(run('-s')).toBe('a live update is pending already')
  expect(run('-f', '/bin/true')).toBe('a live update is pending already')
  expect(run('-a')).toBe('OK')
  expect(answers).toEqual(['1 4 the live update was aborted'])
  timers.pass(100_000)
  expect(becomes).toEqual([])
})

test('who has a transaction open itself cannot start one', () => {
  const { run } = commands()
  const tx = socket.start()
  expect(run('-s')).toBe('this connection has a transaction open itself')
  socket.abort(tx)
  expect(run('-s')).toBe('later')
})

test.each([
  [['-f', '/no/such/file'], 'there is no /no/such/file'],
  [['-f', '/etc'], '/etc is not executable'],
  [['-f', '/etc/passwd'], '/etc/passwd is not executable'],
  [['-f', 'lixs'], 'lixs is not an absolute path'],
  [['-s', '-v', '3'], 'version 3 of the stream is not known; versions 1 and 2 are'],
  [['-s', '-t', 'soon'], 'EINVAL'],
  [['-s', '-x'], 'EINVAL'],
  [['-q'], 'EINVAL'],
  [['-f'], 'EINVAL'],
  [[], 'EINVAL'],
])('%j is answered with %j', (words, answer) => {
  expect(commands().run(...words)).toBe(answer)
})

test('while one is pending new transactions wait, and what stands behind them', () => {
  const { run } = commands()
  const other = store.socket()
  const tx = other.start()
  run('-s')
  const message = new Uint8Array(32).fill(7)
  const isPaused = (id: number) => handover.words[id * CONNECTION_WORDS + CONNECTION_PAUSED] !== 0
  const second = 2 as ConnectionId
  expect(held.takes(second, XS_READ, message, 0, 16)).toBe(false)
  expect(held.takes(second, XS_TRANSACTION_START, message, 3, 20)).toBe(true)
  expect(handover.inputOf(second)).toEqual(new Uint8Array(17).fill(7))
  expect(isPaused(2)).toBe(true)
  // Whoever has one open must be able to end it.
  const opener = other.connection as ConnectionId
  expect(held.takes(opener, XS_TRANSACTION_START, message, 0, 16)).toBe(false)
  run('-a')
  expect(isPaused(2)).toBe(false)
  expect(resumed).toEqual([1, 2])
  other.abort(tx)
})

test('a version that was asked for is written', () => {
  const { run } = commands()
  run('-s', '-v', '2')
  timers.pass(1)
  expect(becomes[0]?.[3].readUInt32BE(8)).toBe(2)
})
