/**
 * Plays sequences with lixs and with stock daemons, and says where they differ.
 *
 * ```
 * npm run test:differential                                     the corpus, and a bounded random part
 * npm run test:differential -- --against xenstored --operations 1000000 --seed 7
 * ```
 */
import { parseArgs } from 'node:util'
import { aLixs } from './a-lixs.ts'
import { type Difference, describe } from './compare.ts'
import { Contest } from './contest.ts'
import { corpusFor, keep } from './corpus.ts'
import { Generator } from './generator.ts'
import { isRival, RIVALS, type Rival, rivals } from './rivals.ts'
import { lineOf, type Step } from './step.ts'

/** Differences may explain so many replies. */
const MOST_EXCUSED = 0.01
/** Who differs that often is not looked at any further. */
const MOST_FAILURES = 8

interface Score {
  passed: number
  failed: number
}

interface Orders {
  readonly seed: number
  readonly length: number
  readonly operations: number
  readonly seconds: number
  readonly keeps: boolean
}

interface Failure {
  readonly name: string
  readonly steps: readonly Step[]
  readonly differences: readonly Difference[]
}

async function run(): Promise<void> {
  const { values } = parseArgs({
    options: {
      against: { type: 'string', multiple: true },
      operations: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string' },
      length: { type: 'string' },
      keep: { type: 'boolean' },
    },
  })
  const orders: Orders = {
    seed: Number(values.seed ?? 1),
    length: Number(values.length ?? 2000),
    operations: Number(values.operations ?? Number.POSITIVE_INFINITY),
    seconds: Number(values.seconds ?? (values.operations === undefined ? 60 : 86_400)),
    keeps: values.keep ?? false,
  }
  const score: Score = { passed: 0, failed: 0 }
  for (const against of values.against ?? RIVALS) {
    if (!isRival(against)) throw new Error(`no daemon ${against}; there are ${RIVALS.join(', ')}`)
    await compete(against, orders, score)
  }
  console.log(`${score.passed} passed, ${score.failed} failed`)
  process.exitCode = score.failed === 0 ? 0 : 1
}

async function compete(against: Rival, orders: Orders, score: Score): Promise<void> {
  const { profile, start } = rivals[against]
  const contest = new Contest(against, () => aLixs('lixs', profile.guests.length > 0), start)
  const begun = performance.now()
  const judge = async (name: string, steps: readonly Step[]): Promise<boolean> => {
    const differences = await contest.play(steps)
    if (differences.length === 0) {
      score.passed++
      return true
    }
    score.failed++
    await report(contest, { name, steps, differences }, orders.keeps)
    return false
  }
  try {
    const corpus = corpusFor(against)
    for (const { name, steps } of corpus) await judge(name, steps)
    console.log(`${against}: ${corpus.length} sequences of the corpus`)
    contest.steps = 0
    let failures = 0
    let seed = orders.seed
    while (contest.steps < orders.operations && failures < MOST_FAILURES) {
      if (performance.now() - begun > orders.seconds * 1000) break
      const steps = new Generator(seed, profile).sequence(orders.length)
      if (!(await judge(`seed-${seed}`, steps))) failures++
      seed++
    }
    if (contest.shareExcused > MOST_EXCUSED) score.failed++
    summarize(contest, `seeds ${orders.seed} to ${seed - 1}, ${orders.length} steps each`)
    console.log(`wall time ${((performance.now() - begun) / 1000).toFixed(1)} s\n`)
  } finally {
    await contest.stop()
  }
}

/** Makes a sequence small in which something differs, and prints it. */
async function report(contest: Contest, failure: Failure, keeps: boolean): Promise<void> {
  const { name } = failure
  const { against } = contest
  console.log(`\n${name}: ${against} and lixs differ`)
  const { steps, differences } = await contest.shrink(failure.steps, failure.differences)
  for (const step of steps) console.log(`  ${lineOf(step)}`)
  for (const difference of differences) console.log(describe(difference, steps, against))
  if (!keeps) return
  const about = differences[0] === undefined ? name : describe(differences[0], steps, against)
  keep(`found-${against}-${name}`, { about, against: [against], steps })
}

function summarize(contest: Contest, sequences: string): void {
  const { against, steps, replies, events, excused, shareExcused, restarts, coverage } = contest
  console.log(`\n${against}: ${sequences}, ${steps} operations`)
  console.log(coverage.toString())
  console.log(`${replies} replies and ${events} events compared, ${restarts} restarts`)
  for (const [name, count] of excused) console.log(`  excused as ${name}: ${count}`)
  console.log(`  excused altogether: ${(shareExcused * 100).toFixed(3)} % of the replies`)
}

await run()
