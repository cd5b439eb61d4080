/**
 * Starts and stops simulated machines, listens to what happens on them, and makes things fail there.
 * For tests, benches and `npm start`; the programs on the machine know nothing of it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ControlLink } from './control-link.ts'

/** Where the executable may be, seen from this file or from a bundle that holds it. */
const PLACES = ['../build/Release/xcl-simulator', './xcl-simulator', '../lib/xcl-simulator']
/** A machine that was told to stop and does not is killed. */
const STOP_TIMEOUT_MS = 5000
const MAX_SAID = 16_384

export interface SimulatorOptions {
  /** An existing folder; the machine makes simulator.sock and control.sock in it. */
  readonly runDir: string
  /** 4.17 announces that some domain died; 4.21 also says which. */
  readonly xen: '4.17' | '4.21'
  readonly memoryMiB?: number
  /** The domid that the first domain gets. */
  readonly firstDomid?: number
  /** What Xen says on its console is appended to it. */
  readonly logFile?: string
}

/** How the machine's process ended. */
export interface SimulatorEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The last of what it wrote to standard error. */
  readonly said: string
}

/** What is to fail, and how often. */
export interface Fault {
  /** The name of the call as XenError's `op` has it, or `guest_dies_STEP`. */
  readonly name: string
  /** `EINVAL`, `ENOMEM` …; or `SIGKILL`: the program that calls is killed, and nothing is done. */
  readonly errno: string
  /** Only for this domain; there is none to readconsolering, evtchn_bind_virq and open_disk. */
  readonly domid?: number
  /** So many calls go well before. */
  readonly after?: number
  /** So many calls fail, one when it is not given; 0: all until `clearFaults`. */
  readonly times?: number
}

export interface MassDeath {
  readonly count: number
  /** Which guests die depends on it alone. */
  readonly seed: number
  /** `vanish`: Xen destroys them, and no toolstack is asked. */
  readonly how: 'crash' | 'poweroff' | 'vanish'
}

/** Of one guest with `script=print`, since it was last asked to print. */
export interface Printed {
  readonly domid: number
  readonly lines: number
  readonly bytes: number
  /** Of the bytes, as zlib has it. */
  readonly crc32: number
}

/** Of all guests with `script=print`. */
export interface Printing {
  readonly lines: number
  readonly bytes: number
  /** Bytes that no daemon has taken. */
  readonly unread: number
  /** Lines that are not due yet, or have no room. */
  readonly left: number
}

export class Simulator {
  readonly pid: number
  /** What `--hypervisor sim` programs connect to. */
  readonly socketPath: string
  /** Settled when the machine's process has ended, for whatever reason. */
  readonly ended: Promise<SimulatorEnd>
  readonly #child: ChildProcess
  readonly #controlPath: string
  readonly #control: ControlLink
  /** Being opened, or open. */
  #news: Promise<ControlLink> | undefined
  readonly #newsHandlers: ((words: string[]) => void)[] = []

  private constructor(
    child: ChildProcess,
    pid: number,
    ended: Promise<SimulatorEnd>,
    runDir: string,
    control: ControlLink,
  ) {
    this.#child = child
    this.pid = pid
    this.ended = ended
    this.socketPath = join(runDir, 'simulator.sock')
    this.#controlPath = controlPathIn(runDir)
    this.#control = control
  }

  /**
   * Starts a machine; it ends with this process at the latest.
   * @throws Error with what the machine says when it does not come up
   */
  static async start(options: SimulatorOptions): Promise<Simulator> {
    const child = spawn(executable(), argumentsFor(options), {
      stdio: ['ignore', 'pipe', 'pipe'],
      // A session of its own: Ctrl-C in a terminal is for whoever started the machine, who ends it.
      detached: true,
    })
    const ended = endOf(child)
    await untilReady(child, ended)
    if (child.pid === undefined) throw new Error('the simulated machine has no process')
    try {
      const control = await ControlLink.open(controlPathIn(options.runDir), () => {})
      return new Simulator(child, child.pid, ended, options.runDir, control)
    } catch (error) {
      // Nobody would be left to stop it.
      child.kill('SIGKILL')
      await ended
      throw error
    }
  }

  /**
   * Sends one line to the control socket.
   * @returns the lines of the answer
   * @throws Error with the machine's sentence
   */
  command(line: string): Promise<string[]> {
    return this.#control.command(line)
  }

  /** Counters of the machine and of what runs on it. */
  async stats(): Promise<Record<string, number>> {
    return numbersOf(await this.command('stats'))
  }

  /** Calls with the words of every line of news from the time on when the promise is settled. */
  async onNews(handler: (words: string[]) => void): Promise<void> {
    this.#newsHandlers.push(handler)
    this.#news ??= this.#listen()
    await this.#news
  }

  async #listen(): Promise<ControlLink> {
    const news = await ControlLink.open(this.#controlPath, (words) => {
      for (const handle of this.#newsHandlers) handle(words)
    })
    await news.command('listen')
    return news
  }

  async fault({ name, errno, domid, after, times }: Fault): Promise<void> {
    const words = Object.entries({ errno, domid, after, times })
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}=${value}`)
    await this.command(['fault', name, ...words].join(' '))
  }

  async clearFaults(): Promise<void> {
    await this.command('faults clear')
  }

  /** Every guest writes and prints that often from now on. */
  async work(ratePerSecond: number): Promise<void> {
    await this.command(`work rate=${ratePerSecond}`)
  }

  async stopWork(): Promise<void> {
    await this.command('work stop')
  }

  /**
   * Every guest with `script=print` prints lines 1 to so many, so often a second; without a rate as fast as
   * its ring takes them. A line that nobody has room for is printed later.
   * @throws Error when somebody has not read yet what was printed before
   */
  async print(lines: number, ratePerSecond?: number): Promise<void> {
    const rate = ratePerSecond === undefined ? '' : ` rate=${ratePerSecond}`
    await this.command(`print lines=${lines}${rate}`)
  }

  /** What each of these guests has put into its ring since, in the order of their numbers. */
  async printed(): Promise<Printed[]> {
    const lines = await this.command('printed')
    return lines.map((line) => {
      const [domid = 0, count = 0, bytes = 0, crc32 = 0] = line.split(' ').map(Number)
      return { domid, lines: count, bytes, crc32 }
    })
  }

  /** How far they are, all together. */
  async printing(): Promise<Printing> {
    const { lines = 0, bytes = 0, unread = 0, left = 0 } = numbersOf(await this.command('printing'))
    return { lines, bytes, unread, left }
  }

  /** Lets guests die, all in one instant. @returns their domids */
  async die({ count, seed, how }: MassDeath): Promise<number[]> {
    const [line = ''] = await this.command(`die count=${count} seed=${seed} how=${how}`)
    return line.split(' ').filter(Boolean).map(Number)
  }

  /** Ends the machine and everything on it; may be called again, and after the machine has gone. */
  async stop(): Promise<SimulatorEnd> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    // A machine that has gone already does not answer, and one that goes may not.
    await this.command('stop').catch(() => {})
    const end = await this.ended
    clearTimeout(timer)
    this.#control.close()
    // Whoever asked for news has heard why there are none.
    await this.#news?.then((news) => news.close()).catch(() => {})
    return end
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** Lines `name number`. */
function numbersOf(lines: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    lines.map((line) => {
      const [name = '', value] = line.split(' ')
      return [name, Number(value)]
    }),
  )
}

function controlPathIn(runDir: string): string {
  return join(runDir, 'control.sock')
}

function argumentsFor(options: SimulatorOptions): string[] {
  const { runDir, xen, memoryMiB, firstDomid, logFile } = options
  const flags: string[] = ['--run-dir', runDir, '--xen', xen]
  if (memoryMiB !== undefined) flags.push('--memory-mib', String(memoryMiB))
  if (firstDomid !== undefined) flags.push('--first-domid', String(firstDomid))
  if (logFile !== undefined) flags.push('--log', logFile)
  return flags
}

function executable(): string {
  const places = process.env.XCL_SIMULATOR_BINARY
    ? [process.env.XCL_SIMULATOR_BINARY]
    : PLACES.map((place) => fileURLToPath(new URL(place, import.meta.url)))
  const file = places.find((place) => existsSync(place))
  if (file === undefined) {
    throw new Error(`the simulated machine is missing (${places[0]}); run \`npm run build\``)
  }
  return file
}

function endOf(child: ChildProcess): Promise<SimulatorEnd> {
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-MAX_SAID)
  })
  return new Promise((resolve, reject) => {
    child.once('close', (code, signal) => resolve({ code, signal, said }))
    child.once('error', (error) => {
      reject(new Error(`the simulated machine cannot be started: ${error.message}`))
    })
  })
}

/** Waits for the line `ready`; what the machine says on standard error explains why there is none. */
async function untilReady(child: ChildProcess, ended: Promise<SimulatorEnd>): Promise<void> {
  const { stdout } = child
  if (stdout === null) throw new Error('the simulated machine has no output')
  const ready = new Promise<undefined>((resolve) => {
    createInterface({ input: stdout }).on('line', (line) => {
      if (line === 'ready') resolve(undefined)
    })
  })
  const end = await Promise.race([ready, ended])
  if (end === undefined) return
  const how = end.code === null ? `signal ${end.signal}` : `exit code ${end.code}`
  throw new Error(`the simulated machine did not start (${how}): ${end.said.trim()}`)
}
