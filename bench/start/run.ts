/** One run: set up, warm up, create, look, and take down again. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { XenstoreClient } from '../../lixs/client/client.ts'
import { XcldClient } from '../../xcl/daemon/client.ts'
import { checkLogs } from './console-logs.ts'
import { Counter } from './counter.ts'
import { CpuTrack } from './cpu-track.ts'
import {
  addBridges,
  createGuests,
  destroyGuests,
  HOST_MEMORY_MIB,
  type Recipe,
  writeGuestFiles,
} from './creation.ts'
import { Guests, guestName } from './guests.ts'
import { LogDirectory } from './log-directory.ts'
import { News } from './news.ts'
import type { StartOptions } from './options.ts'
import { letDie } from './phases/deaths.ts'
import { restAll } from './phases/idle.ts'
import { workAll } from './phases/work.ts'
import { PROCESS_NAMES, Processes } from './processes.ts'
import type { Progress } from './progress.ts'
import { grouped } from './report.ts'
import { othersCpuS, processFigures, type Results } from './results.ts'
import { RunDirectory } from './run-directory.ts'
import { windowsOf } from './windows.ts'

const CHECKOUT = join(import.meta.dirname, '..', '..')
/** Prefix of the names of guests that are not counted. */
const WARM_UP = 'w'
/** How long no further guest may become READY before it is said that the rest never will. */
const PATIENCE_MS = 15_000
const ERRORS_TOLD = 3
/** Memory of the machine that no guest is given. */
const SPARE_MEMORY_MIB = 4096

type PhaseFigures = Pick<Results, 'idle' | 'work' | 'deaths'>
type CreationFigures = Pick<
  Results,
  | 'created'
  | 'ready'
  | 'late'
  | 'connected'
  | 'createS'
  | 'ringRequests'
  | 'processes'
  | 'othersCpuS'
  | 'cpu'
>

export class Run {
  readonly processes: Processes
  readonly logs: LogDirectory
  readonly #options: StartOptions
  readonly #progress: Progress
  readonly #runDir: RunDirectory
  readonly #errors: string[] = []

  /**
   * Makes the folders; starts nothing yet.
   * @throws UsageError for a folder of logs that is in use, Error for one that cannot be made
   */
  constructor(options: StartOptions, progress: Progress) {
    this.#options = options
    this.#progress = progress
    this.#runDir = RunDirectory.make(join(CHECKOUT, 'dist', 'run'))
    try {
      this.logs =
        options.logDir === undefined
          ? LogDirectory.in(join(CHECKOUT, '.cache', 'start'), new Date())
          : LogDirectory.at(options.logDir)
    } catch (error) {
      this.#runDir.remove()
      throw error
    }
    this.processes = new Processes({
      runDir: this.#runDir,
      logs: this.logs,
      binDir: join(CHECKOUT, 'dist', 'bin'),
      xen: options.xen,
      memoryMiB: SPARE_MEMORY_MIB + HOST_MEMORY_MIB * (options.guests + options.warmUp),
    })
  }

  /** How `xcl` is typed so that it finds this run. */
  get xcl(): string {
    const program = 'dist/bin/xcl'
    if (this.#runDir.isLinked) return program
    return `XCLD_SOCKET=${this.processes.xcldSocket} ${program}`
  }

  /**
   * Everything up to the figures.
   * @throws XcldLost and the like when one of the processes goes away
   */
  async measure(): Promise<Results> {
    const options = this.#options
    await this.processes.start()
    const pids = PROCESS_NAMES.map((name) => `${name} ${this.processes.pidOf(name)}`)
    this.#progress.say(`started ${pids.join(', ')}`)
    const news = new News()
    await news.listen(this.processes.simulator)
    const recipe = writeGuestFiles(this.#runDir, options.devices)
    if (recipe.hasVif) await addBridges(this.processes.simulator, options.guests)
    // Since this process began, and not since it had loaded its modules.
    const setUpS = process.uptime()

    await this.#warmUp(recipe, news)
    const warmUpS = process.uptime() - setUpS

    const guests = new Guests('g', options.guests)
    news.follow(guests)
    const creation = await this.#createAll(recipe, guests, news)
    const wallS = process.uptime()
    await this.#check(guests)
    const phases = await this.#phases(guests, news)
    return {
      ...creation,
      ...phases,
      options,
      errors: [...this.#errors, ...guests.errors, ...news.troubles],
      latencies: {
        create: windowsOf(guests.createMs),
        xcld: windowsOf(guests.xcldMs),
        ready: windowsOf(guests.readyMs),
      },
      wallS,
      setUpS,
      warmUpS,
      logDir: this.logs.path,
      runDir: this.#runDir.path,
    }
  }

  /** Ends all processes and removes the run's folder, and its logs unless they are to be kept. */
  async close(areLogsKept: boolean): Promise<void> {
    await this.processes.stop()
    this.#runDir.remove()
    for (let i = 0; i < this.#options.warmUp; i++) {
      rmSync(this.logs.guest(guestName(WARM_UP, i)), { force: true })
    }
    this.logs.settle(areLogsKept)
  }

  /** The same at once, for a way out on which nothing can be waited for. */
  closeNow(): void {
    this.processes.kill()
    this.#runDir.remove()
  }

  /** Guests that are not counted: the first ones meet daemons whose code is not compiled yet. */
  async #warmUp(recipe: Recipe, news: News): Promise<void> {
    const { warmUp } = this.#options
    if (warmUp === 0) return
    const guests = new Guests(WARM_UP, warmUp)
    news.follow(guests)
    const gone = new Counter()
    const stopListening = news.onGone(() => gone.add())
    const xcld = new XcldClient(this.processes.xcldSocket)
    await createGuests(xcld, recipe, guests, (done) =>
      this.#progress.show(done, () => `warming up   ${grouped(done)} of ${grouped(warmUp)} guests`),
    )
    const created = guests.domids.filter((domid) => domid !== 0).length
    const areReady = await guests.ready.reaches(created, PATIENCE_MS)
    if (!areReady) guests.errors.push(`${created - guests.ready.value} were never READY`)
    await destroyGuests(xcld, guests)
    const areGone = await gone.reaches(created, PATIENCE_MS)
    if (!areGone) guests.errors.push(`${created - gone.value} are still there after their destroy`)
    stopListening()
    this.#errors.push(...guests.errors.map((error) => `warm-up: ${error}`))
    this.#progress.say(`warmed up with ${grouped(warmUp)} guests, which are destroyed again`)
  }

  /** Creates the guests that count, and waits until they are READY and their devices connected. */
  async #createAll(recipe: Recipe, guests: Guests, news: News): Promise<CreationFigures> {
    const before = this.processes.usage()
    const othersBefore = othersCpuS(before)
    const requestsBefore = await this.#ringRequests()
    const connectedBefore = { vif: news.connected.vif.value, vbd: news.connected.vbd.value }
    const cpu = new CpuTrack(() => this.processes.usage(), guests.count)
    const xcld = new XcldClient(this.processes.xcldSocket)
    const begin = performance.now()
    const sinceMs = (): number => performance.now() - begin
    let told = 0
    const late = await createGuests(xcld, recipe, guests, (done) => {
      cpu.created(done)
      // The first few at once: whoever sees them may not want to wait for the table.
      const error = told < ERRORS_TOLD ? guests.errors[told] : undefined
      if (error !== undefined) {
        told++
        this.#progress.say(error)
      }
      this.#progress.show(done, () => creationText(guests, done, sinceMs()))
    })
    const created = guests.domids.filter((domid) => domid !== 0).length
    await guests.ready.reaches(created, PATIENCE_MS)
    const connected = { vif: 0, vbd: 0 }
    for (const kind of this.#options.devices) {
      await news.connected[kind].reaches(connectedBefore[kind] + created, PATIENCE_MS)
      connected[kind] = news.connected[kind].value - connectedBefore[kind]
      const missing = created - connected[kind]
      if (missing > 0) this.#errors.push(`${missing} ${kind} front ends are not Connected`)
    }
    const createS = sinceMs() / 1000
    const after = this.processes.usage()
    return {
      created,
      ready: guests.ready.value,
      late,
      connected,
      createS,
      ringRequests: (await this.#ringRequests()) - requestsBefore,
      processes: processFigures(before, after, (name) => this.processes.pidOf(name)),
      othersCpuS: Math.max(0, othersCpuS(after) - othersBefore),
      cpu: cpu.steps,
    }
  }

  /** What was asked for besides. */
  async #phases(guests: Guests, news: News): Promise<PhaseFigures> {
    const { idleS, workS, rate, die, dieHow, seed } = this.#options
    const idle = idleS === 0 ? undefined : await this.#rest(idleS)
    const work = workS === 0 ? undefined : await this.#work(guests, workS, rate)
    if (die === 0) return { idle, work, deaths: undefined }
    this.#progress.say(
      `${grouped(die)} guests die (${dieHow}), and the others are asked how they are`,
    )
    const deaths = await letDie(this.processes, {
      count: die,
      how: dieHow,
      seed,
      guests,
      news,
      logs: this.logs,
      complain: (sentence) => this.#errors.push(sentence),
    })
    return { idle, work, deaths }
  }

  /** Whoever was created is READY, and its log says so. */
  async #check(guests: Guests): Promise<void> {
    for (let i = 0; i < guests.count; i++) {
      if (guests.domids[i] !== 0 && Number.isNaN(guests.readyMs[i])) {
        this.#errors.push(`${guests.name(i)} (domain ${guests.domids[i]}) was never READY`)
      }
    }
    this.#errors.push(...(await checkLogs(guests, this.logs)))
  }

  async #rest(seconds: number): Promise<Results['idle']> {
    this.#progress.say(`all guests rest for ${seconds} s`)
    return restAll(this.processes, seconds)
  }

  async #work(guests: Guests, seconds: number, rate: number): Promise<Results['work']> {
    this.#progress.say(`all guests work for ${seconds} s, ${rate} writes and lines per second each`)
    const work = await workAll(this.processes, { seconds, rate, guests, logs: this.logs })
    if (work.lost > 0) this.#errors.push(`${work.lost} requests were lost`)
    if (work.missed > 0) this.#errors.push(`${work.missed} turns of work were missed`)
    if (work.lines !== work.linesLogged) {
      this.#errors.push(`of ${work.lines} lines ${work.linesLogged} are in the logs`)
    }
    return work
  }

  async #ringRequests(): Promise<number> {
    const store = await XenstoreClient.connect(this.processes.storeSocket)
    const text = await store.control('stats')
    store.close()
    const count = /^ringRequests ([0-9]+)$/m.exec(text)?.[1]
    if (count === undefined) throw new Error('lixs does not say how many requests came over rings')
    return Number(count)
  }
}

/** `creating   4,213 of 10,000 guests   4,212 READY   2.03 ms each   9 s` */
function creationText(guests: Guests, done: number, ms: number): string {
  const parts = [
    `creating   ${grouped(done)} of ${grouped(guests.count)} guests`,
    `${grouped(guests.ready.value)} READY`,
    `${(ms / done).toFixed(2)} ms each`,
    `${(ms / 1000).toFixed(0)} s`,
    ...(guests.errors.length === 0 ? [] : [`${grouped(guests.errors.length)} errors`]),
  ]
  return parts.join('   ')
}
