/**
 * Plays sequences with lixs and with stock daemons, and says where they differ.
 *
 * ```
 * npm run test:differential                                     the corpus, and a bounded random part
 * npm run test:differential -- --against xenstored --operations 1000000 --seed 7
 * ```
 */
import { parseArgs } from 'node:util'
import { Campaign } from './campaign.ts'
import { isRival, RIVALS, type Rival } from './rivals.ts'

/** The random part, for each daemon, unless a number of operations or of seconds is asked for: so long at most, … */
const SECONDS = 60
/** … and no further, so that a faster machine does not come to sequences that nobody has looked at. */
const OPERATIONS: Readonly<Record<Rival, number>> = {
  xenstored: 120_000,
  oxenstored: 400_000,
  lixs: 400_000,
}

async function run(): Promise<void> {
  const { values } = parseArgs({
    options: {
      against: { type: 'string', multiple: true },
      operations: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string', default: '1' },
      length: { type: 'string', default: '2000' },
      parallel: { type: 'string', default: '2' },
      keep: { type: 'boolean', default: false },
    },
  })
  const orders = {
    seed: Number(values.seed),
    length: Number(values.length),
    seconds: Number(values.seconds ?? (values.operations === undefined ? SECONDS : Infinity)),
    parallel: Number(values.parallel),
    keeps: values.keep,
  }
  let passed = 0
  let failed = 0
  for (const against of values.against ?? RIVALS) {
    if (!isRival(against)) throw new Error(`no daemon ${against}; there are ${RIVALS.join(', ')}`)
    const most = values.seconds === undefined ? OPERATIONS[against] : Number.POSITIVE_INFINITY
    const operations = Number(values.operations ?? most)
    const campaign = new Campaign(against, { ...orders, operations }, (text) => console.log(text))
    await campaign.run()
    passed += campaign.passed
    failed += campaign.failed
  }
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}

await run()
