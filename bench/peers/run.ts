/** One run: stations up, scenarios in rounds, stations down. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Progress } from '../start/progress.ts'
import { type Peer, type Station, startStation } from './peers.ts'
import { programs } from './programs.ts'
import { type RowResult, runRounds } from './rounds.ts'
import type { Scenario } from './scenarios.ts'

export interface RunOptions {
  readonly peers: readonly Peer[]
  readonly rounds: number
}

/** @throws Error when a daemon does not come up */
export async function run(
  scenarios: readonly Scenario[],
  { peers, rounds }: RunOptions,
  progress: Progress,
): Promise<RowResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'xcl-peers-'))
  const stations = new Map<Peer, Station>()
  const results: RowResult[] = []
  try {
    progress.show(0, () => 'compiling the load and the floor')
    const made = await programs()
    for (const peer of peers) stations.set(peer, await startStation(peer, folder, made))
    for (const scenario of scenarios) {
      const name = scenario.rows[0]?.name ?? ''
      const measured = await runRounds(scenario, peers, rounds, async (peer, round) => {
        progress.show(0, () => `${name}: round ${round} of ${rounds}, ${peer}`)
        const station = stations.get(peer)
        if (station === undefined) return { kind: 'failed', why: 'not started' }
        return await station.load.run(scenario.command, scenario.limitS)
      })
      results.push(...measured)
    }
    return results
  } finally {
    await Promise.all([...stations.values()].map((station) => station.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
}
