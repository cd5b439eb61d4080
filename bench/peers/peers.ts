/** The daemons that are compared, each on a simulated machine of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Simulator } from '../../native/simulator/control.ts'
import { startStockDaemon } from '../../test/stock/stock-daemon.ts'
import { DaemonProcess } from '../start/daemon-process.ts'
import { Load } from './load.ts'
import type { Programs } from './programs.ts'

export const PEERS = ['floor', 'lixs', 'xenstored', 'oxenstored'] as const
export type Peer = (typeof PEERS)[number]
/** Whom lixs is to be ahead of. */
export const OTHERS = ['xenstored', 'oxenstored'] as const satisfies readonly Peer[]

const LIXS = join(import.meta.dirname, '../../dist/bin/lixs')
const STOP_MS = 2000

/** One daemon, its machine, and the load that asks it. */
export interface Station {
  readonly peer: Peer
  readonly pid: number
  readonly socketPath: string
  /** A folder of its own. */
  readonly runDir: string
  readonly simulator: Simulator
  readonly load: Load
  /** One more load, for what is to go on at the same time; whoever asks for it stops it. */
  anotherLoad(): Load
  stop(): Promise<void>
}

interface Running {
  readonly pid: number
  readonly socketPath: string
  stop(): Promise<unknown>
}

/** Where a daemon runs. */
interface Place {
  readonly runDir: string
  readonly simulatorSocket: string
  readonly env: Readonly<Record<string, string>>
}

/**
 * @param runDir is made
 * @param turnsFile where the turns of its loop are to be measured into; undefined: they are not
 * @throws Error with what does not come up
 */
export async function startStation(
  peer: Peer,
  runDir: string,
  { load, floor, probe }: Programs,
  turnsFile: string | undefined,
): Promise<Station> {
  mkdirSync(runDir, { recursive: true })
  const simulator = await Simulator.start({ runDir, xen: '4.17' })
  const simulatorSocket = simulator.socketPath
  const env = turnsFile === undefined ? {} : { LD_PRELOAD: probe, XCL_TURNS: turnsFile }
  try {
    const daemon = await startDaemon(peer, { runDir, simulatorSocket, env }, floor)
    const { pid, socketPath } = daemon
    const anotherLoad = (): Load => new Load(load, socketPath, pid)
    const client = anotherLoad()
    const stop = async (): Promise<void> => {
      await client.stop()
      await daemon.stop()
      await simulator.stop()
    }
    return { peer, pid, socketPath, runDir, simulator, load: client, anotherLoad, stop }
  } catch (error) {
    await simulator.stop()
    throw error
  }
}

async function startDaemon(peer: Peer, place: Place, floor: string): Promise<Running> {
  switch (peer) {
    case 'floor':
      return await startFloor(floor, place)
    case 'lixs':
      return await startLixs(place)
    case 'xenstored':
    case 'oxenstored':
      // By default neither limits what dom0 may have, which is everybody at a socket.
      return await startStockDaemon(peer, place)
  }
}

async function startFloor(
  program: string,
  { runDir, simulatorSocket, env }: Place,
): Promise<Running> {
  const socketPath = join(runDir, 'socket')
  const child = spawn(program, [socketPath, simulatorSocket], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
  })
  const ended = once(child, 'close')
  // It says a line once it listens.
  await Promise.race([once(child.stdout, 'data'), ended])
  const { pid } = child
  if (pid === undefined || child.exitCode !== null) throw new Error('the floor did not start')
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  return { pid, socketPath, stop }
}

async function startLixs({ runDir, simulatorSocket, env }: Place): Promise<Running> {
  const socketPath = join(runDir, 'socket')
  const logFile = join(runDir, 'lixs.log')
  const machine = ['--hypervisor', 'sim', '--simulator', simulatorSocket]
  const daemon = new DaemonProcess(
    'lixs',
    LIXS,
    ['--no-fork', ...machine, '--socket-path', socketPath],
    { logFile, cwd: runDir, env: { PATH: process.env.PATH, ...env } },
  )
  await daemon.serves(socketPath)
  if (!daemon.isRunning) throw new Error(`lixs did not start; see ${logFile}`)
  return { pid: daemon.pid, socketPath, stop: () => daemon.stop(STOP_MS) }
}
