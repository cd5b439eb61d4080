/**
 * Isolation of consoles, counted on the simulated machine: hundreds of native guests print as fast as their
 * rings take it, beside one that says a line now and then. From the moment when the line is visible in the
 * victim's ring until it is in its log, the log of each other guest grows by one ring's worth at most.
 *
 * The bound is exact, and nothing in it is a matter of time. consoled's Daemon runs in this thread, unchanged;
 * the machine is a process. What is looked at is looked at while the thread stands still:
 *
 * ```
 * batch k handled │ the machine has the victim print, and answers   │ batch k+1 … batch n   │ handled
 *   it is in logs │ once the line is in the ring; sizes of all logs │ n brings the line     │ sizes of all logs
 *                 └─ visible: nothing is taken and not logged ──────┘                       └─ logged
 * ```
 *
 * consoled has written a batch to the logs when its handler returns, so the logs are all that it has taken of
 * anybody, at both moments. The second look is after the whole of batch n, so what stands in it behind the line
 * counts as well: the true figure is never more than what is found here.
 */

import { pino } from 'pino'
import { afterEach, expect, test, vi } from 'vitest'
import { systemClock } from '../../consoled/clock.ts'
import { Daemon } from '../../consoled/daemon.ts'
import { OPTIONS, type OptionName } from '../../consoled/option-table.ts'
import { optionsFrom } from '../../consoled/options.ts'
import type { Hypervisor } from '../../native/hypervisor.ts'
import { parseCommandLine } from '../../native/os/command-line.ts'
import { until } from '../consoled/console-guest.ts'
import { BlockingControl } from './a-blocking-control.ts'
import { ConsoleSiege, loggedBytes } from './a-console-siege.ts'

// Programs are started from their sources, for each test.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

/** What a console's ring holds. */
const QUANTUM = 2048
const FLOODS = 300
const ROUNDS = 25
/** Of a guest with script=print. */
const LINE_BYTES = 64

let siege: ConsoleSiege
let consoled: Daemon | undefined
afterEach(async () => {
  consoled?.close()
  await siege.stop()
})

/** Starts consoled in this process. @param afterBatch called when a batch is handled */
async function startConsoled(afterBatch: () => void): Promise<void> {
  const argv = [...siege.arguments, '--log-level', 'fatal']
  const settings = parseCommandLine<OptionName>(OPTIONS, argv, {})
  consoled = new Daemon({
    hypervisor: observed(siege.xen, afterBatch),
    machine: 'simulated',
    storePath: siege.storePath,
    options: optionsFrom(settings),
    clock: systemClock,
    log: pino({ level: 'silent' }),
  })
  await consoled.start()
}

function observed(xen: Hypervisor, afterBatch: () => void) {
  return {
    domains: xen.domains,
    rings: ((kind, options) => {
      const set = xen.rings(kind, options)
      const serve = set.onBatch.bind(set)
      set.onBatch = (handle, onTurnEnd) =>
        serve((batch) => {
          handle(batch)
          afterBatch()
        }, onTurnEnd)
      return set
    }) satisfies Hypervisor['rings'],
  }
}

/** A line is in the victim's ring and not yet in its log: sizes of the logs when it got there. */
interface Wait {
  readonly victimBefore: number
  readonly before: readonly number[]
}

test(`a victim among ${FLOODS} floods waits for one ring's worth of each at most`, async () => {
  siege = await ConsoleSiege.begin()
  const control = new BlockingControl(siege.path(''), siege.controlPath)
  const victim = await siege.guest('print')
  const floods = await Promise.all(
    Array.from({ length: FLOODS }, () => siege.guest('flood-console')),
  )
  /** In each round, by how much the log of each flood has grown. */
  const grown: number[][] = []
  let wait: Wait | undefined
  let batches = 0
  let nextIn = Number.POSITIVE_INFINITY
  let hasFailed: unknown
  const sizes = () => floods.map(loggedBytes)
  const speak = (): void => {
    const victimBefore = loggedBytes(victim)
    control.command('print lines=1')
    while (!control.command('printing').includes(`unread ${LINE_BYTES}`));
    wait = { victimBefore, before: sizes() }
  }
  const look = ({ victimBefore, before }: Wait): void => {
    if (loggedBytes(victim) === victimBefore) return
    grown.push(sizes().map((size, i) => size - (before[i] ?? 0)))
    wait = undefined
    // At another place in a pass each time.
    nextIn = batches + 2 + (grown.length % 5)
  }
  await startConsoled(() => {
    batches++
    try {
      if (wait !== undefined) look(wait)
      else if (batches >= nextIn && grown.length < ROUNDS) speak()
    } catch (error) {
      hasFailed ??= error
    }
  })
  await until(() => floods.every((flood) => loggedBytes(flood) > QUANTUM))
  nextIn = batches + 1
  await until(() => grown.length === ROUNDS || hasFailed !== undefined)
  expect(hasFailed).toBeUndefined()
  const all = grown.flat()
  expect(Math.max(...all)).toBeLessThanOrEqual(QUANTUM)
  // Others were served before it, or there was nothing to count.
  expect(all.filter((bytes) => bytes > 0).length).toBeGreaterThan(ROUNDS)
  expect(loggedBytes(victim)).toBe(ROUNDS * LINE_BYTES)
})
