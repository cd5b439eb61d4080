/** The console daemons that are compared. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { startStockConsoled } from '../../test/stock/stock-consoled.ts'
import { DaemonProcess, endingText } from '../start/daemon-process.ts'
import type { ConsoleGuest, ConsoleHost } from './host.ts'

export const DAEMONS = ['floor', 'consoled', 'consoled --tty always', 'xenconsoled'] as const
export type DaemonName = (typeof DAEMONS)[number]

const CONSOLED = join(import.meta.dirname, '../../dist/bin/consoled')
const STOP_MS = 5000
const PAUSE_MS = 20

/** A console daemon that runs. */
export interface ConsoleDaemon {
  readonly name: DaemonName
  /** Of the process that runs now. */
  readonly pid: number
  /** Where viewers attach; only consoled has it. */
  readonly attachSocket: string
  /** Why it has ended; undefined while it runs. */
  readonly end: string | undefined
  logOf(guest: ConsoleGuest): string
  /** kill -9, and another one in its place at once; `servesAgain` waits for that. */
  restart(): Promise<void>
  /** Its logs go too. */
  stop(): Promise<void>
}

/** It ended, or serves fewer guests than there are. */
export class NotServing extends Error {}

/**
 * Settles when it serves all guests of the host.
 *
 * @param floor the floor's program
 * @throws NotServing with how many it serves
 */
export async function startDaemon(
  name: DaemonName,
  host: ConsoleHost,
  floor: string,
  limitS: number,
): Promise<ConsoleDaemon> {
  const logDir = join(host.runDir, `logs-${DAEMONS.indexOf(name)}`)
  mkdirSync(logDir, { recursive: true })
  const heldBefore = await host.portsHeld()
  const daemon = await STARTS[name](host, logDir, floor)
  try {
    await serves(daemon, host, heldBefore, limitS)
    return daemon
  } catch (error) {
    await daemon.stop()
    throw error
  }
}

/**
 * Settles when a consoled that was restarted takes viewers and serves all guests of the host.
 *
 * @param others event channels that are not the daemon's
 * @throws NotServing
 */
export async function servesAgain(
  daemon: ConsoleDaemon,
  host: ConsoleHost,
  others: number,
  limitS: number,
): Promise<void> {
  // Until somebody answers, what is bound may be what is left of the one that was killed.
  const deadline = performance.now() + limitS * 1000
  while (!(await answers(daemon.attachSocket))) {
    if (performance.now() > deadline) throw new NotServing(daemon.end ?? 'takes no viewers')
    await setTimeout(PAUSE_MS)
  }
  await serves(daemon, host, others, (deadline - performance.now()) / 1000)
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** Settles when all guests' event channels are bound. @throws NotServing */
async function serves(
  daemon: ConsoleDaemon,
  host: ConsoleHost,
  heldBefore: number,
  limitS: number,
): Promise<void> {
  const wanted = host.guests.length
  const deadline = performance.now() + limitS * 1000
  for (;;) {
    const served = (await host.portsHeld()) - heldBefore
    if (served >= wanted) return
    if (daemon.end !== undefined)
      throw new NotServing(`${daemon.end} after ${served} of ${wanted} consoles`)
    if (performance.now() > deadline) throw new NotServing(`serves ${served} of ${wanted} consoles`)
    await setTimeout(PAUSE_MS)
  }
}

type Start = (host: ConsoleHost, logDir: string, floor: string) => Promise<ConsoleDaemon>

const startConsoled =
  (name: DaemonName, ...more: string[]): Start =>
  async (host, logDir) => {
    const attachSocket = join(host.runDir, 'consoled.sock')
    const stateFile = join(host.runDir, 'consoled.state')
    const logFile = join(host.runDir, 'consoled.log')
    const args = [
      ...['--no-fork', '--hypervisor', 'sim', '--simulator', host.simulator.socketPath],
      ...['--log', 'guest', '--log-dir', logDir, '--log-level', 'warn'],
      ...['--attach', attachSocket, '--state', stateFile, ...more],
    ]
    const env = { PATH: process.env.PATH, XENSTORED_PATH: host.storeSocket }
    const start = () =>
      new DaemonProcess('consoled', CONSOLED, args, { logFile, cwd: host.runDir, env })
    let process_ = start()
    let end: string | undefined
    const follow = (child: DaemonProcess): void => {
      child.ended.then((ending) => {
        if (child === process_) end = `consoled ${endingText(ending)}; see ${logFile}`
      })
    }
    follow(process_)
    return {
      name,
      attachSocket,
      get pid() {
        return process_.pid
      },
      get end() {
        return end
      },
      logOf: logsIn(logDir),
      restart: async () => {
        const old = process_
        process_ = start()
        follow(process_)
        old.kill()
        await old.ended
      },
      stop: async () => {
        await process_.stop(STOP_MS)
        rmSync(logDir, { recursive: true, force: true })
        rmSync(stateFile, { force: true })
      },
    }
  }

const startFloor: Start = async (host, logDir, floor) => {
  const child = spawn(floor, [host.simulator.socketPath, logDir], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const ended = once(child, 'close')
  child.stdin.end(host.guests.map(({ domid, port, name }) => `${domid} ${port} ${name}\n`).join(''))
  return {
    name: 'floor',
    attachSocket: '',
    pid: child.pid ?? 0,
    get end() {
      return child.exitCode === null ? undefined : `the floor ended with ${child.exitCode}`
    },
    logOf: logsIn(logDir),
    restart: () => Promise.reject(new Error('the floor is not restarted')),
    stop: async () => {
      child.kill('SIGKILL')
      await ended
      rmSync(logDir, { recursive: true, force: true })
    },
  }
}

const startXenconsoled: Start = async (host, logDir) => {
  const daemon = await startStockConsoled({
    simulatorSocket: host.simulator.socketPath,
    storeSocket: host.storeSocket,
    runDir: host.runDir,
    logDir,
  })
  let end: string | undefined
  daemon.ended.then(({ code, signal, said }) => {
    end = `xenconsoled ended with ${code ?? signal}: ${said.trim().split('\n').at(-1) ?? ''}`
  })
  return {
    name: 'xenconsoled',
    attachSocket: '',
    get pid() {
      return daemon.pid
    },
    get end() {
      return end
    },
    logOf: logsIn(logDir),
    restart: () => daemon.restart(),
    stop: async () => {
      await daemon.stop()
      rmSync(logDir, { recursive: true, force: true })
    },
  }
}

const STARTS: Readonly<Record<DaemonName, Start>> = {
  floor: startFloor,
  consoled: startConsoled('consoled'),
  'consoled --tty always': startConsoled('consoled --tty always', '--tty', 'always'),
  xenconsoled: startXenconsoled,
}

function logsIn(logDir: string): (guest: ConsoleGuest) => string {
  return ({ name }) => join(logDir, `guest-${name}.log`)
}
