/** One run: for each stage stations up, scenarios in rounds, stations down. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spreadOf } from '../report/median.ts'
import type { Progress } from '../start/progress.ts'
import { idleTicks, type SampleOutcome, sampleOf } from './measures.ts'
import { type Peer, type Station, startStation } from './peers.ts'
import { PopulationFailure, populate } from './population.ts'
import { type Programs, programs } from './programs.ts'
import { type Figure, type Round, type RowResult, runRounds } from './rounds.ts'
import type { Scenario, Stage } from './scenario.ts'
import { turnsFileIn } from './turns.ts'

/** Of progress that is no terminal's. */
const STEPS_PER_LINE = 1000
/** What one guest may take to be there. */
const BARE_S = 20
const BARE = { guests: 1, guestsAt: 'sockets' } as const

export interface RunOptions {
  readonly peers: readonly Peer[]
  readonly rounds: number
  /** What all guests, connections, watches and nodes of a stage may take to be there. */
  readonly populationS: number
}

export class Run {
  readonly #options: RunOptions
  readonly #progress: Progress
  readonly #folder: string
  /** With one guest, for as long as the run is. */
  readonly #bare = new Map<Peer, Station>()
  #made: Programs | undefined
  #stagesDone = 0
  #scenariosBegun = 0

  constructor(options: RunOptions, progress: Progress) {
    this.#options = options
    this.#progress = progress
    this.#folder = mkdtempSync(join(tmpdir(), 'xcl-peers-'))
  }

  /** @throws Error when a daemon does not come up at all */
  async measure(stages: readonly Stage[]): Promise<RowResult[]> {
    this.#say('compiling the load and the floor')
    this.#made = await programs()
    const results: RowResult[] = []
    for (const peer of this.#options.peers) {
      this.#bare.set(peer, await this.#start(peer, 'bare'))
    }
    for (const [peer, station] of this.#bare) {
      this.#say(`starting ${peer}`)
      await populate(station, BARE, { limitS: BARE_S, rounds: 1 }, () => undefined)
    }
    for (const stage of stages) {
      results.push(...(await this.#stage(stage)))
      this.#stagesDone++
    }
    return results
  }

  /** Nothing is left of it. */
  async close(): Promise<void> {
    await Promise.all([...this.#bare.values()].map((station) => station.stop()))
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #stage(stage: Stage): Promise<RowResult[]> {
    const stations = new Map<Peer, Station>()
    try {
      const ends = await this.#prepare(stage, stations)
      const results: RowResult[] = []
      // First: nobody has died yet.
      if (stage.idle !== undefined)
        results.push(await this.#idle(stage, stage.idle, stations, ends))
      for (const scenario of stage.scenarios) {
        const name = scenario.rows[0]?.name ?? ''
        this.#scenariosBegun++
        results.push(
          ...(await runRounds(stage.name, scenario, ends, this.#options, async (peer, round) => {
            this.#say(`${name}: round ${round} of ${this.#options.rounds}, ${peer}`)
            const station = stations.get(peer)
            const bareStation = this.#bare.get(peer)
            if (station === undefined || bareStation === undefined) return NOT_STARTED
            return await this.#round(scenario, station, bareStation)
          })),
        )
      }
      return results
    } finally {
      for (const [peer, station] of stations) {
        if (station !== this.#bare.get(peer)) await station.stop()
      }
    }
  }

  async #round(scenario: Scenario, station: Station, bareStation: Station): Promise<Round> {
    const { measure, limitS, isPaired, slices = 1 } = scenario
    let round: Round | undefined
    for (let slice = 0; slice < slices; slice++) {
      const bare = isPaired && (await sampleOf(measure, bareStation, limitS))
      const outcome = await sampleOf(measure, station, limitS)
      if (outcome.kind !== 'measured') return { outcome, bare: outcome }
      round = {
        outcome: leastOf(round?.outcome, outcome),
        bare: leastOf(round?.bare, bare || outcome),
      }
    }
    return round ?? NOT_STARTED
  }

  /** @returns who did not come so far, and why */
  async #prepare(stage: Stage, stations: Map<Peer, Station>): Promise<Map<Peer, Figure>> {
    const ends = new Map<Peer, Figure>()
    const { guests, guestsAt, ...others } = stage.population
    const isBare = guests === 1 && guestsAt === 'sockets' && Object.keys(others).length === 0
    for (const peer of this.#options.peers) {
      const bare = this.#bare.get(peer)
      if (isBare && bare !== undefined) stations.set(peer, bare)
      else stations.set(peer, await this.#start(peer, stage.name, stage.isProbed))
    }
    if (isBare) return ends
    // One round is to warm up.
    const { rounds, populationS } = this.#options
    const bounds = { limitS: populationS, rounds: rounds + 1 }
    // One after the other: each is to have its time, whatever the others need.
    for (const [peer, station] of stations) {
      try {
        await populate(station, stage.population, bounds, (text) =>
          this.#say(`${stage.name}: ${text}`),
        )
      } catch (error) {
        if (!(error instanceof PopulationFailure)) throw error
        ends.set(peer, { kind: 'failed', why: error.message })
      }
    }
    return ends
  }

  async #idle(
    stage: Stage,
    { seconds, row }: NonNullable<Stage['idle']>,
    stations: ReadonlyMap<Peer, Station>,
    ends: ReadonlyMap<Peer, Figure>,
  ): Promise<RowResult> {
    this.#say(`${row.name}: waiting`)
    const ticks = await idleTicks([...stations.values()], seconds)
    const figures = new Map<Peer, Figure>()
    for (const [i, peer] of [...stations.keys()].entries()) {
      const rounds = [ticks[i] ?? Number.NaN]
      const measured: Figure = { kind: 'measured', spread: spreadOf(rounds), rounds }
      figures.set(peer, ends.get(peer) ?? measured)
    }
    return { stage: stage.name, row, figures, samples: new Map() }
  }

  async #start(peer: Peer, stage: string, isProbed?: boolean): Promise<Station> {
    if (this.#made === undefined) throw new Error('nothing is compiled yet')
    this.#say(`${stage}: starting ${peer}`)
    // Short: the path of a socket has only so many bytes.
    const runDir = join(this.#folder, stage === 'bare' ? stage : String(this.#stagesDone), peer)
    return await startStation(peer, runDir, this.#made, isProbed ? turnsFileIn(runDir) : undefined)
  }

  /** In a terminal the line is written anew all the time; elsewhere there is one for each scenario. */
  #say(text: string): void {
    this.#progress.show(this.#scenariosBegun * STEPS_PER_LINE, () => text)
  }
}

function leastOf(one: SampleOutcome | undefined, other: SampleOutcome): SampleOutcome {
  if (one?.kind !== 'measured' || other.kind !== 'measured') return other
  return one.sample.latencyUs.p50 < other.sample.latencyUs.p50 ? one : other
}

const NOT_STARTED: Round = {
  outcome: { kind: 'failed', why: 'not started' },
  bare: { kind: 'failed', why: 'not started' },
}
