/** Fuzzes a whole daemon for so many messages, in rounds; after each round nothing may be left. */
import { Crowd } from './crowd.ts'
import { Random } from './random.ts'
import type { Samples } from './samples.ts'
import { Target } from './target.ts'
import { Violation } from './violation.ts'

/** Answers between two changes in who is connected. */
const CHANGE_AFTER = 10_000
/** Answers between two looks of the daemon at its own tables. */
const CHECK_AFTER = 5 * CHANGE_AFTER
/** Answers of a round before another program takes the daemon's place. */
const UPDATE_AFTER = 3 * CHANGE_AFTER
const ROUND = 250_000
/** Who is asked something and says nothing for so long has lost it. */
const SILENCE_MS = 60_000
/** What the daemon's heap and tables may grow by after the first round. */
const GROWTH_KIB = 96 * 1024

export interface FuzzOptions {
  readonly seed: number
  readonly messages: number
  readonly samples: Samples
  readonly xen: '4.17' | '4.21'
  /** Stands between sockets and daemon. @returns where sockets are to connect */
  readonly between?: (target: Target) => Promise<string>
  readonly onProgress?: (report: FuzzReport) => void
}

export interface FuzzReport {
  readonly messages: number
  readonly events: number
  readonly seconds: number
  readonly residentKiB: number
}

/** @throws Violation when the daemon has broken a promise */
export async function fuzzDaemon(options: FuzzOptions): Promise<FuzzReport> {
  const target = await Target.start(options.xen)
  try {
    const report = await playRounds(target, options)
    await target.stop()
    return report
  } catch (error) {
    const said = await target.abandon()
    if (!(error instanceof Violation)) throw error
    throw new Violation(`${error.message}\nthe daemon's last words:\n${said}`)
  }
}

async function playRounds(target: Target, options: FuzzOptions): Promise<FuzzReport> {
  const random = new Random(options.seed)
  const started = performance.now()
  const socketPath = await options.between?.(target)
  let messages = 0
  let events = 0
  let firstKiB = 0
  const report = (): FuzzReport => ({
    messages,
    events,
    seconds: (performance.now() - started) / 1000,
    residentKiB: target.residentKiB(),
  })
  while (messages < options.messages) {
    const wanted = Math.min(ROUND, options.messages - messages)
    const crowd = await playRound(target, options, random, wanted, socketPath)
    messages += crowd.answered
    events += crowd.events
    await target.checkNothingIsLeft()
    const { residentKiB } = report()
    if (firstKiB === 0) firstKiB = residentKiB
    if (residentKiB > firstKiB + GROWTH_KIB) {
      throw new Violation(`the daemon has grown from ${firstKiB} to ${residentKiB} KiB`)
    }
    options.onProgress?.(report())
  }
  return report()
}

async function playRound(
  target: Target,
  { samples }: FuzzOptions,
  random: Random,
  wanted: number,
  socketPath: string | undefined,
): Promise<Crowd> {
  let fail: (error: Error) => void = () => undefined
  const failed = new Promise<never>((_, reject) => {
    fail = reject
  })
  const crowd = new Crowd(target, {
    random,
    samples,
    onViolation: fail,
    ...(socketPath === undefined ? {} : { socketPath }),
  })
  const silence = watchForSilence(crowd, fail)
  target.ended.then(({ code, signal }) => {
    fail(new Violation(`the daemon has ended with ${code ?? signal}`))
  })
  try {
    await Promise.race([failed, play(target, crowd, wanted)])
  } finally {
    clearInterval(silence)
  }
  return crowd
}

async function play(target: Target, crowd: Crowd, wanted: number): Promise<void> {
  await crowd.come()
  for (let next = CHANGE_AFTER; next < wanted; next += CHANGE_AFTER) {
    await crowd.untilAnswered(next)
    await crowd.change()
    if (next % CHECK_AFTER === 0) await target.checkConsistency()
    if (next === UPDATE_AFTER) await target.update()
  }
  await crowd.untilAnswered(wanted)
  await target.checkConsistency()
  await crowd.go()
}

function watchForSilence(crowd: Crowd, fail: (error: Error) => void): NodeJS.Timeout {
  let answered = -1
  return setInterval(() => {
    if (crowd.answered === answered && crowd.unanswered() !== '') {
      fail(new Violation(`no answer comes any more; unanswered: ${crowd.unanswered()}`))
    }
    answered = crowd.answered
  }, SILENCE_MS)
}
