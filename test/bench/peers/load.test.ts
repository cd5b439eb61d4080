/** The load against a daemon that is played: what it says of answers, and of errors. */
import { readdirSync, readFileSync } from 'node:fs'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { Load } from '../../../bench/peers/load.ts'
import { type Programs, programs } from '../../../bench/peers/programs.ts'
import { runRounds } from '../../../bench/peers/rounds.ts'
import { encodePacket } from '../../../lixs/wire/encoder.ts'
import { XS_DIRECTORY_PART, XS_ERROR, XS_READ, XS_WRITE } from '../../../lixs/wire/ops.ts'
import { aSocketPeer, type SocketPeer } from '../../support/a-socket-peer.ts'

let made: Programs
const peers: SocketPeer[] = []
const loads: Load[] = []

beforeAll(async () => {
  made = await programs()
}, 180_000)

afterEach(async () => {
  for (const load of loads.splice(0)) await load.stop()
  for (const peer of peers.splice(0)) peer.close()
})

/**
 * @param refused the operation that is answered ENOSPC, once it was asked so many times
 * @param onRead called for each READ, before it is answered
 */
async function aLoad(refused = -1, after = 0, onRead: () => void = () => undefined): Promise<Load> {
  let asked = 0
  const peer = await aSocketPeer(({ type, reqId, txId }, socket) => {
    if (type === XS_READ) onRead()
    const isRefused = type === refused && asked++ >= after
    const payload = Buffer.from(isRefused ? 'ENOSPC\0' : 'OK\0')
    socket.write(encodePacket(isRefused ? XS_ERROR : type, reqId, txId, payload))
  })
  const load = new Load(made.load, peer.socketPath, process.pid)
  peers.push(peer)
  loads.push(load)
  return load
}

/** The processors on which each thread of a process may run, as the kernel writes them. */
function placesOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'latin1')
    return /^Cpus_allowed_list:\s+(\S+)$/m.exec(status)?.[1] ?? ''
  })
}

test('a daemon that answers is measured', async () => {
  const load = await aLoad()
  const outcome = await load.run('busy how=turn op=write clients=1 seconds=0.01', 10)
  expect(outcome).toMatchObject({ kind: 'measured' })
  if (outcome.kind !== 'measured') return
  const { operations, latencyUs } = outcome.measurement
  expect(operations).toBeGreaterThan(0)
  expect(latencyUs.p50).toBeLessThanOrEqual(latencyUs.p99)
  expect(latencyUs.p99).toBeLessThanOrEqual(latencyUs.max)
})

test('long lists, their parts and large values are asked for in turn', async () => {
  const load = await aLoad()
  const command = 'bulk clients=2 depth=3 seconds=0.01'
  expect(await load.run(command, 10)).toMatchObject({ kind: 'measured' })
  const refusing = await aLoad(XS_DIRECTORY_PART, 2)
  expect(await refusing.run('bulk clients=2 depth=3 seconds=5', 10)).toEqual({
    kind: 'failed',
    why: 'DIRECTORY_PART was answered ENOSPC',
  })
})

test('with one request under way all threads of a daemon are on one processor, and afterwards as before', async () => {
  const during = new Set<string>()
  const load = await aLoad(-1, 0, () => {
    for (const places of placesOf(process.pid)) during.add(places)
  })
  const before = placesOf(process.pid)
  await load.run('busy how=turn op=read clients=1 seconds=0.01', 10)
  expect([...during]).toEqual([expect.stringMatching(/^[0-9]+$/)])
  expect(placesOf(process.pid)).toEqual(before)
})

test.each([
  ['in turn', 'busy how=turn op=write clients=1'],
  ['all at once', 'busy how=all op=write clients=2 depth=8'],
])('a daemon that answers an error has failed (%s)', async (_, command) => {
  const load = await aLoad(XS_WRITE, 5)
  expect(await load.run(`${command} seconds=5`, 10)).toEqual({
    kind: 'failed',
    why: 'WRITE was answered ENOSPC',
  })
})

test('a scenario whose daemon answers an error has no figure there, and the others have theirs', async () => {
  const scenario = {
    measure: { kind: 'load', command: 'busy how=turn op=write clients=1 seconds=0.01' },
    limitS: 10,
    rows: [{ name: 'WRITE', unit: 'op/s', figure: (): number => 7 }],
  } as const
  const [good, bad] = [await aLoad(), await aLoad(XS_WRITE, 3)]
  const [result] = await runRounds(
    '1 guest',
    scenario,
    new Map(),
    { peers: ['floor', 'lixs'], rounds: 2 },
    async (peer) => {
      const load = peer === 'floor' ? good : bad
      const outcome = await load.run(scenario.measure.command, scenario.limitS)
      if (outcome.kind !== 'measured') return { outcome, bare: outcome }
      const sampled = { kind: 'measured', sample: outcome.measurement } as const
      return { outcome: sampled, bare: sampled }
    },
  )
  expect(result?.figures.get('floor')).toMatchObject({ kind: 'measured', rounds: [7, 7] })
  expect(result?.figures.get('lixs')).toEqual({ kind: 'failed', why: 'WRITE was answered ENOSPC' })
})

test('a command that the load does not know fails', async () => {
  const load = await aLoad()
  expect(await load.run('sing seconds=1', 1)).toEqual({
    kind: 'failed',
    why: 'no command is called sing',
  })
})
