/** One of our programs as a child: started in the foreground, watched, ended. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { createConnection } from 'node:net'

/** Between two questions whether a daemon serves already; only while it starts. */
const PAUSE_MS = 10

/** How a process ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** `ended with code 1`, `was ended by SIGKILL`. */
export function endingText({ code, signal }: Ending): string {
  return signal === null ? `ended with code ${code}` : `was ended by ${signal}`
}

export class DaemonProcess {
  readonly name: string
  readonly logFile: string
  readonly ended: Promise<Ending>
  readonly #child: ChildProcess

  /** @param logFile also gets what it says on stderr, before it has a log */
  constructor(
    name: string,
    program: string,
    args: readonly string[],
    { logFile, env, cwd }: { logFile: string; env: NodeJS.ProcessEnv; cwd: string },
  ) {
    this.name = name
    this.logFile = logFile
    const log = openSync(logFile, 'a')
    // A session of its own: Ctrl-C is for us, and we end the daemons in their order.
    this.#child = spawn(program, args, { stdio: ['ignore', log, log], env, cwd, detached: true })
    closeSync(log)
    this.ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => resolve({ code, signal }))
      this.#child.once('error', () => resolve({ code: null, signal: null }))
    })
  }

  /** 0 when it could not be started at all. */
  get pid(): number {
    return this.#child.pid ?? 0
  }

  get isRunning(): boolean {
    return this.#child.pid !== undefined && !this.#hasEnded
  }

  /** Settles once it takes connections there, or has ended. */
  async serves(socketPath: string): Promise<void> {
    while (this.isRunning && !(await isServed(socketPath))) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }

  /** Asks it to end, and makes it end if it has not done so in time. */
  async stop(patienceMs: number): Promise<void> {
    if (!this.isRunning) return
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.kill(), patienceMs)
    await this.ended
    clearTimeout(timer)
  }

  kill(): void {
    if (this.isRunning) this.#child.kill('SIGKILL')
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }
}

function isServed(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
