/** The daemons that are compared, each on a simulated machine of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
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
  readonly simulator: Simulator
  readonly load: Load
  stop(): Promise<void>
}

interface Running {
  readonly pid: number
  readonly socketPath: string
  stop(): Promise<unknown>
}

/**
 * @param folder an existing one of its own
 * @throws Error with what does not come up
 */
export async function startStation(
  peer: Peer,
  folder: string,
  { load, floor }: Programs,
): Promise<Station> {
  const runDir = join(folder, peer)
  mkdirSync(runDir, { recursive: true })
  const simulator = await Simulator.start({ runDir, xen: '4.17' })
  try {
    const daemon = await startDaemon(peer, runDir, simulator.socketPath, floor)
    const { pid, socketPath } = daemon
    const client = new Load(load, socketPath, pid)
    const stop = async (): Promise<void> => {
      await client.stop()
      await daemon.stop()
      await simulator.stop()
    }
    return { peer, pid, socketPath, simulator, load: client, stop }
  } catch (error) {
    await simulator.stop()
    throw error
  }
}

async function startDaemon(
  peer: Peer,
  runDir: string,
  simulatorSocket: string,
  floor: string,
): Promise<Running> {
  switch (peer) {
    case 'floor':
      return await startFloor(floor, join(runDir, 'socket'))
    case 'lixs':
      return await startLixs(runDir, simulatorSocket)
    case 'xenstored':
    case 'oxenstored':
      return await startStockDaemon(peer, { simulatorSocket, runDir })
  }
}

async function startFloor(program: string, socketPath: string): Promise<Running> {
  const child: ChildProcess = spawn(program, [socketPath], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  // It says a line once it listens.
  if (child.stdout === null) throw new Error('the floor has no output')
  await Promise.race([once(child.stdout, 'data'), ended])
  const { pid } = child
  if (pid === undefined || child.exitCode !== null) throw new Error('the floor did not start')
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  return { pid, socketPath, stop }
}

async function startLixs(runDir: string, simulatorSocket: string): Promise<Running> {
  const socketPath = join(runDir, 'socket')
  const logFile = join(runDir, 'lixs.log')
  const daemon = new DaemonProcess(
    'lixs',
    LIXS,
    [
      '--no-fork',
      '--hypervisor',
      'sim',
      '--simulator',
      simulatorSocket,
      '--socket-path',
      socketPath,
    ],
    { logFile, cwd: runDir, env: { PATH: process.env.PATH } },
  )
  await daemon.serves(socketPath)
  if (!daemon.isRunning) throw new Error('lixs did not start')
  return { pid: daemon.pid, socketPath, stop: () => daemon.stop(STOP_MS) }
}
