/** What the parts of a run share: its folder, its hosts, its sizes. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compiled, MACHINE_CODE, PROCESS_START } from '../compiled.ts'
import type { Progress } from '../start/progress.ts'
import { type ConsoleDaemon, type DaemonName, startDaemon } from './daemons.ts'
import { ConsoleHost } from './host.ts'

/** Of progress that is no terminal's: each text is a line. */
const STEPS_PER_LINE = 1000

export interface Sizes {
  readonly guests: number
  readonly viewers: number
  /** How long guests print a line a second. */
  readonly seconds: number
  readonly idleSeconds: number
  readonly kills: number
  /** Guests at which the stock daemon stands beside ours; it is left out from where it fails. */
  readonly beside: readonly number[]
  readonly besideSeconds: number
}

/** Until a daemon serves all guests. */
const START_LIMIT_S = 60

export class Bench {
  readonly sizes: Sizes
  readonly #progress: Progress
  readonly #folder = mkdtempSync(join(tmpdir(), 'xcl-consoles-'))
  readonly #hosts: ConsoleHost[] = []
  readonly #daemons = new Set<ConsoleDaemon>()
  readonly #floor: string
  #full: ConsoleHost | undefined
  #said = STEPS_PER_LINE

  private constructor(sizes: Sizes, progress: Progress, floor: string) {
    this.sizes = sizes
    this.#progress = progress
    this.#floor = floor
  }

  /** Starts nothing yet. @throws Error with what the compiler says */
  static async make(sizes: Sizes, progress: Progress): Promise<Bench> {
    progress.show(STEPS_PER_LINE, () => 'compiling the floor')
    const floor = await compiled({
      name: 'console-floor',
      folder: 'bench/consoles/floor',
      sources: MACHINE_CODE.sources,
      headers: [PROCESS_START, ...MACHINE_CODE.headers],
      flags: [],
    })
    return new Bench(sizes, progress, floor)
  }

  /** A machine without guests. */
  async newHost(): Promise<ConsoleHost> {
    this.say('starting a machine and a store')
    const host = await ConsoleHost.start(join(this.#folder, String(this.#hosts.length)))
    this.#hosts.push(host)
    return host
  }

  /** The machine with all guests, which parts use one after the other. */
  async fullHost(): Promise<ConsoleHost> {
    this.#full ??= await this.newHost()
    await this.grow(this.#full, this.sizes.guests)
    return this.#full
  }

  async grow(host: ConsoleHost, guests: number): Promise<void> {
    await host.growTo(guests, (made) => this.say(`making guests: ${made} of ${guests}`))
  }

  /** @throws NotServing */
  async start(name: DaemonName, host: ConsoleHost): Promise<ConsoleDaemon> {
    this.say(`starting ${name}, ${host.guests.length} guests`)
    const daemon = await startDaemon(name, host, this.#floor, START_LIMIT_S)
    this.#daemons.add(daemon)
    return daemon
  }

  async stop(daemon: ConsoleDaemon): Promise<void> {
    this.#daemons.delete(daemon)
    await daemon.stop()
  }

  /** What goes on now. */
  say(text: string): void {
    this.#said += STEPS_PER_LINE
    this.#progress.show(this.#said, () => text)
  }

  /** Nothing is left of it. */
  async close(): Promise<void> {
    for (const daemon of this.#daemons) await daemon.stop()
    for (const host of this.#hosts) await host.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
