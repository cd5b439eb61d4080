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
import { isRival, RIVALS } from './rivals.ts'

/** The random part, for each daemon, unless a number of operations is asked for. */
const SECONDS = 60

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
    operations: Number(values.operations ?? Number.POSITIVE_INFINITY),
    seconds: Number(values.seconds ?? (values.operations === undefined ? SECONDS : Infinity)),
    parallel: Number(values.parallel),
    keeps: values.keep,
  }
  let passed = 0
  let failed = 0
  for (const against of values.against ?? RIVALS) {
    if (!isRival(against)) throw new Error(`no daemon ${against}; there are ${RIVALS.join(', ')}`)
    const campaign = new Campaign(against, orders, (text) => console.log(text))
    await campaign.run()
    passed += campaign.passed
    failed += campaign.failed
  }
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}

await run()
