/**
 * Fuzzes the native half of the connections, under sanitizers, and the whole daemon.
 *
 *   npm run test:fuzz [-- --seed N] [--messages N] [--only native|daemon] [--keep]
 *
 * Without --messages it takes some two minutes: both corpora, variations of them, and lies that have to be
 * noticed. With --messages the daemon is asked so much, and the native half a tenth of it. With --keep what
 * is new joins the corpora. The seed is told; what fails is told with it. The last line is
 * `N passed, N failed`.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { noticeOf } from './daemon/lies.ts'
import { LIES, type Lie } from './daemon/lying-proxy.ts'
import { type FuzzReport, fuzzDaemon } from './daemon/run.ts'
import { Samples } from './daemon/samples.ts'
import { Target } from './daemon/target.ts'
import { buildDriver, NATIVE_CORPUS, PATHS_CORPUS, runDriver } from './native/driver.ts'

const DAEMON_CORPUS = join(import.meta.dirname, 'corpus/daemon')
const SAMPLES = join(DAEMON_CORPUS, 'requests.txt')
const BOUNDED_MESSAGES = 120_000
const BOUNDED_NATIVE_SECONDS = 20
const LONG_NATIVE_SECONDS = 3600
const PATHS_SECONDS = 5
const PATHS_SABOTAGES = ['lose-hint', 'wrong-hint']
const SABOTAGES = ['lose', 'double', 'flip', 'lose-reply', 'double-reply', 'keep-block']

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    messages: { type: 'string' },
    only: { type: 'string' },
    keep: { type: 'boolean' },
  },
})
const seed = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed)
const messages = values.messages === undefined ? undefined : Number(values.messages)
const isKept = values.keep === true
let passed = 0
let failed = 0

/** @param run gives a sentence about what it found to be right */
async function check(name: string, run: () => Promise<string>): Promise<void> {
  try {
    say(`ok      ${name}: ${await run()}`)
    passed++
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    say(`FAILED  ${name}, seed ${seed}: ${said}`)
    failed++
  }
}

async function fuzzNative(): Promise<void> {
  await buildDriver()
  const folder = mkdtempSync(join(tmpdir(), 'ring-set-fuzzer-'))
  const common = ['--folder', folder, '--seed', `${seed}`, '--corpus', NATIVE_CORPUS]
  await check('native half', async () => {
    const bounds =
      messages === undefined
        ? ['--seconds', `${BOUNDED_NATIVE_SECONDS}`]
        : ['--seconds', `${LONG_NATIVE_SECONDS}`, '--messages', `${Math.ceil(messages / 10)}`]
    const { code, said } = await runDriver([...common, ...bounds, ...(isKept ? ['--keep'] : [])])
    if (code !== 0) throw new Error(`${said}\nthe input is ${join(folder, 'failing')}`)
    return said
  })
  for (const sabotage of SABOTAGES) {
    await check(`native half, sabotaged: ${sabotage}`, async () => {
      const args = ['--folder', join(folder, 'sabotaged'), '--sabotage', sabotage]
      mkdirSync(join(folder, 'sabotaged'), { recursive: true })
      const { code, said } = await runDriver([
        ...args,
        '--corpus',
        NATIVE_CORPUS,
        '--seconds',
        '20',
      ])
      if (code !== 1) throw new Error(`nothing was noticed: ${said}`)
      return `noticed: ${said.split('\n').pop()}`
    })
  }
  await fuzzPaths(folder)
  if (failed === 0) rmSync(folder, { recursive: true })
}

async function fuzzPaths(folder: string): Promise<void> {
  const run = (place: string, args: readonly string[]) => {
    mkdirSync(join(folder, place), { recursive: true })
    const common = ['--paths', '--folder', join(folder, place), '--corpus', PATHS_CORPUS]
    return runDriver([...common, '--seconds', `${PATHS_SECONDS}`, ...args])
  }
  await check('paths in requests', async () => {
    const { code, said } = await run('paths', ['--seed', `${seed}`, ...(isKept ? ['--keep'] : [])])
    if (code !== 0) throw new Error(`${said}\nthe input is ${join(folder, 'paths/failing')}`)
    return said
  })
  for (const sabotage of PATHS_SABOTAGES) {
    await check(`paths in requests, sabotaged: ${sabotage}`, async () => {
      const { code, said } = await run('sabotaged', ['--sabotage', sabotage])
      if (code !== 1) throw new Error(`nothing was noticed: ${said}`)
      return `noticed: ${said.split('\n').pop()}`
    })
  }
}

async function fuzzDaemons(): Promise<void> {
  mkdirSync(DAEMON_CORPUS, { recursive: true })
  const samples = Samples.from(SAMPLES)
  const total = messages ?? BOUNDED_MESSAGES
  for (const [xen, share] of [
    ['4.21', 0.75],
    ['4.17', 0.25],
  ] as const) {
    await check(`whole daemon, Xen ${xen}`, async () => {
      const onProgress =
        messages === undefined ? () => undefined : (now: FuzzReport) => say(told(now))
      const wanted = Math.ceil(total * share)
      return told(await fuzzDaemon({ seed, messages: wanted, samples, xen, onProgress }))
    })
  }
  if (isKept) samples.save(SAMPLES)
  const target = await Target.start('4.21')
  for (const lie of Object.keys(LIES) as Lie[]) {
    await check(`oracle: ${lie}`, async () => {
      const [notice = ''] = (await noticeOf(target, lie, seed)).split('\n')
      return `noticed: ${notice}`
    })
  }
  await target.stop()
}

function told({ messages: count, events, seconds, residentKiB }: FuzzReport): string {
  const rate = Math.round(count / seconds)
  const memory = (residentKiB / 1024).toFixed(0)
  return `${count} requests answered, ${events} events, ${rate}/s, daemon ${memory} MiB`
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

say(`fuzz: seed ${seed}`)
if (values.only !== 'daemon') await fuzzNative()
if (values.only !== 'native') await fuzzDaemons()
say(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
