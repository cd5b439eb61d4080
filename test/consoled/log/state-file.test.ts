import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConsoleStates, STATE_BYTES } from '../../../consoled/log/console-states.ts'
import { StateFile } from '../../../consoled/log/state-file.ts'
import { machineIdentity } from '../../../native/os/machine-identity.ts'

const A = { domid: 7, uuid: '00112233-4455-6677-8899-aabbccddeeff' }
const OTHER = { domid: 7, uuid: '00112233-4455-6677-8899-aabbccddee00' }
const FRAME = 2 ** 33 + 5
const IDENTITY = Int32Array.of(1, -2, 3, -4)

let dir: string
let path: string
let said: string[]
const log = pino({ level: 'trace' }, { write: (line: string) => said.push(line) })

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'consoled-'))
  path = join(dir, 'run', 'consoled.state')
  said = []
})
afterEach(() => rmSync(dir, { recursive: true }))

function store(states: ConsoleStates, index: number, offset: number, owner = 0): void {
  states.store(A.domid, owner, true, IDENTITY, index, offset, index, offset)
}

describe('ConsoleStates', () => {
  it('finds what was stored last, of this domain and this ring only', () => {
    const states = new ConsoleStates(new ArrayBuffer(STATE_BYTES))
    expect(states.find(A, FRAME, 3)).toBeUndefined()
    states.begin(A, FRAME, 3)
    expect(states.find(A, FRAME, 3)).toBeUndefined()
    for (const [index, offset] of [
      [1, 2],
      [0xffff_fff0, 2 ** 40],
      [5, 6],
    ] as const) {
      store(states, index, offset)
      const found = { isRaw: true, identity: IDENTITY, index, offset }
      expect(states.find(A, FRAME, 3)).toEqual({ ...found, indexAfter: index, offsetAfter: offset })
    }
    expect(states.find(OTHER, FRAME, 3)).toBeUndefined()
    expect(states.find(A, FRAME, 4)).toBeUndefined()
    expect(states.find(A, FRAME - 2 ** 32, 3)).toBeUndefined()
    expect(states.find({ ...A, domid: 8 }, FRAME, 3)).toBeUndefined()
    states.forget(A.domid, 0)
    expect(states.find(A, FRAME, 3)).toBeUndefined()
  })

  it('is told nothing of a domid by who had it before', () => {
    const states = new ConsoleStates(new ArrayBuffer(STATE_BYTES))
    const old = states.take(A.domid)
    states.begin(A, FRAME, 3)
    store(states, 1, 2, old)
    const owner = states.take(A.domid)
    expect(states.find(A, FRAME, 3)).toMatchObject({ index: 1 })
    states.begin(OTHER, FRAME, 3)
    store(states, 3, 4, owner)
    store(states, 5, 6, old)
    states.forget(A.domid, old)
    expect(states.find(OTHER, FRAME, 3)).toMatchObject({ index: 3 })
    states.forget(A.domid, owner)
    expect(states.find(OTHER, FRAME, 3)).toBeUndefined()
  })

  it('has one whole slot whenever the process is killed between two stores', () => {
    const memory = new ArrayBuffer(STATE_BYTES)
    const states = new ConsoleStates(memory)
    states.begin(A, FRAME, 3)
    store(states, 100, 1000)
    const before = new Int32Array(memory.slice(0))
    store(states, 200, 2000)
    const after = new Int32Array(memory.slice(0))
    const changed = [...after.keys()].filter((word) => after[word] !== before[word])
    // What says which slot counts comes last: without it the new slot is not seen, however much of it is there.
    const [selector, ...slot] = changed
    expect(slot.length).toBeGreaterThan(3)
    for (let written = 0; written <= slot.length; written++) {
      const words = before.slice()
      for (const word of slot.slice(0, written)) words[word] = after[word] as number
      const found = new ConsoleStates(words.buffer).find(A, FRAME, 3)
      expect(found).toMatchObject({ index: 100, offset: 1000 })
    }
    const words = after.slice()
    expect(new ConsoleStates(words.buffer).find(A, FRAME, 3)).toMatchObject({ index: 200 })
    expect(selector).toBe((4096 + A.domid * 128) / 4)
  })

  it('takes nonsense for nothing', () => {
    const memory = new ArrayBuffer(STATE_BYTES)
    const states = new ConsoleStates(memory)
    states.begin(A, FRAME, 3)
    store(states, 1, 2)
    const at = (4096 + A.domid * 128) / 4
    const sound = memory.slice(0)
    const spoil: ((words: Int32Array, numbers: Float64Array) => void)[] = [
      (words) => words.fill(77, at, at + 1),
      (words) => words.fill(9, at + 8 + 10, at + 8 + 11),
      (_, numbers) => numbers.fill(Number.NaN, (at + 8 + 6) / 2, (at + 8 + 8) / 2),
    ]
    for (const spoilIt of spoil) {
      const copy = sound.slice(0)
      spoilIt(new Int32Array(copy), new Float64Array(copy))
      expect(new ConsoleStates(copy).find(A, FRAME, 3)).toBeUndefined()
    }
    expect(new ConsoleStates(sound).find(A, FRAME, 3)).toMatchObject({ index: 1, offset: 2 })
  })

  it('knows nothing of a domain for which there is no memory', () => {
    const states = new ConsoleStates(new ArrayBuffer(STATE_BYTES), () => false)
    states.begin(A, FRAME, 3)
    store(states, 1, 2)
    expect(states.find(A, FRAME, 3)).toBeUndefined()
  })
})

describe('the state file', () => {
  it('is found again as it was left, without a word from whoever was killed', () => {
    const killed = new StateFile(path, 'boot', log)
    killed.states.begin(A, FRAME, 3)
    store(killed.states, 11, 22)
    const next = new StateFile(path, 'boot', log)
    expect(next.states.find(A, FRAME, 3)).toMatchObject({ index: 11, offset: 22 })
    expect([statSync(path).mode & 0o777, statSync(path).size, said]).toEqual([
      0o600,
      STATE_BYTES,
      [],
    ])
    killed.close()
    next.close()
  })

  it('of another boot, or another machine, says nothing of this one', () => {
    const before = new StateFile(path, 'boot', log)
    before.states.begin(A, FRAME, 3)
    store(before.states, 1, 2)
    before.close()
    const after = new StateFile(path, 'next boot', log)
    expect(after.states.find(A, FRAME, 3)).toBeUndefined()
    after.close()
    expect(said[0]).toContain('another boot')
    rmSync(path)
    renameSync(`${path}.bad`, path)
    const again = new StateFile(path, 'boot', log)
    expect(again.states.find(A, FRAME, 3)).toMatchObject({ index: 1 })
    again.close()
  })

  it('is of one machine as long as that runs', () => {
    const socket = join(dir, 'simulator.sock')
    writeFileSync(socket, '')
    const first = machineIdentity(socket)
    expect(machineIdentity(socket)).toBe(first)
    writeFileSync(join(dir, 'next'), '')
    renameSync(join(dir, 'next'), socket)
    expect(machineIdentity(socket)).not.toBe(first)
    expect(first.startsWith(machineIdentity(undefined))).toBe(true)
  })

  it('takes memory for the guests that there are, not for all that there may be', () => {
    const file = new StateFile(path, 'boot', log)
    for (let domid = 1; domid <= 32; domid++) file.states.begin({ ...A, domid }, FRAME, 3)
    expect(statSync(path).blocks * 512).toBeLessThanOrEqual(16_384)
    file.close()
  })

  const unsound: readonly [string, () => void][] = [
    ['of other bytes', () => writeFileSync(path, Buffer.alloc(STATE_BYTES, 'x'))],
    ['too short', () => truncateSync(path, 5000)],
    ['a folder', () => replace(() => mkdirSync(path))],
    ['a link', () => replace(() => symlinkSync('/etc/hostname', path))],
  ]
  function replace(make: () => void): void {
    rmSync(path)
    make()
  }

  it.each(unsound)('that is %s is put aside with one line, and begun anew', (_, spoil) => {
    new StateFile(path, 'boot', log).close()
    spoil()
    const file = new StateFile(path, 'boot', log)
    file.states.begin(A, FRAME, 3)
    store(file.states, 1, 2)
    file.close()
    expect(said).toHaveLength(1)
    expect(said[0]).toContain('put aside')
    expect(existsSync(`${path}.bad`)).toBe(true)
    const next = new StateFile(path, 'boot', log)
    expect(next.states.find(A, FRAME, 3)).toMatchObject({ index: 1 })
    next.close()
  })

  it('that cannot be had is said, and done without', () => {
    writeFileSync(join(dir, 'run'), '')
    const file = new StateFile(path, 'boot', log)
    file.states.begin(A, FRAME, 3)
    store(file.states, 1, 2)
    expect(file.states.find(A, FRAME, 3)).toMatchObject({ index: 1 })
    file.close()
    expect(said).toHaveLength(1)
    expect(readFileSync(join(dir, 'run'), 'utf8')).toBe('')
  })
})
