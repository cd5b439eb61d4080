/**
 * Ten thousand guests on the simulated machine, as anybody runs them, and what is to be seen of it
 * from outside: exit code, figures, logs, and that nothing is left. Milliseconds are told
 * beside their targets; that what a guest costs in CPU does not follow their
 * number is asserted.
 *
 *   npm run test:sim [-- --guests N] [-- --only NAME]
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type Figures, figuresFrom } from './figures.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const DAEMONS = ['lixs', 'consoled', 'xcld'] as const
const MAX_SLOPE = 1.2
const MAX_WALL_S = 60
/** Two cores: what the figures of the project are for. */
const CORES = 2
/** A cost that followed the number of guests would be ten times as large; caches account for some. */
const MAX_GROWTH = 2
const MAX_IDLE_TICKS = 2
const IDLE_S = 60
/** From so many guests on a tenth of them is long enough for clock ticks of 10 ms. */
const MIN_GUESTS_FOR_CPU = 5000

/** Of a run of 10,000 with all its phases; a hanging one ends here. */
const LIMIT_MS = 15 * 60_000

interface Scenario {
  readonly name: string
  /** Unless asked otherwise. */
  readonly guests: number
  readonly argv: readonly string[]
  readonly devices: readonly ('vif' | 'vbd')[]
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'plain',
    guests: 10_000,
    argv: ['--xen', '4.17', '--idle', '60', '--work', '60', '--die', '1000', '--die-how', 'vanish'],
    devices: [],
  },
  {
    name: 'devices',
    guests: 10_000,
    argv: ['--xen', '4.21', '--devices', 'vif,vbd', '--die', '1000', '--die-how', 'crash'],
    devices: ['vif', 'vbd'],
  },
  // With the two above, both ways of dying are met by both ways of telling.
  {
    name: 'crash-4.17',
    guests: 2000,
    argv: ['--xen', '4.17', '--die', '1000', '--die-how', 'crash'],
    devices: [],
  },
  {
    name: 'vanish-4.21',
    guests: 2000,
    argv: ['--xen', '4.21', '--die', '1000', '--die-how', 'vanish'],
    devices: [],
  },
]

class Claims {
  passed = 0
  failed = 0

  check(isTrue: boolean, claim: string, found: string): void {
    if (isTrue) this.passed++
    else this.failed++
    console.log(`${isTrue ? 'ok' : 'not ok'} - ${claim} (${found})`)
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { guests: { type: 'string' }, only: { type: 'string' } },
  })
  const claims = new Claims()
  const scenarios = SCENARIOS.filter(
    ({ name }) => values.only === undefined || values.only === name,
  )
  if (scenarios.length === 0) {
    throw new Error(`--only: there are ${SCENARIOS.map(({ name }) => name).join(', ')}`)
  }
  for (const scenario of scenarios) {
    await runScenario(scenario, Number(values.guests ?? scenario.guests), claims)
  }
  console.log(`${claims.passed} passed, ${claims.failed} failed`)
  process.exitCode = claims.failed === 0 ? 0 : 1
}

async function runScenario(scenario: Scenario, guests: number, claims: Claims): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'xcl-test-sim-'))
  const json = join(scratch, 'out.json')
  const logDir = join(scratch, 'log')
  const sharedBefore = sharedMemory()
  const check = (isTrue: boolean, claim: string, found: unknown): void =>
    claims.check(isTrue, `${scenario.name}: ${claim}`, String(found))
  try {
    const argv = ['--guests', String(guests), ...scaled(scenario.argv, guests)]
    const how = ['--exit', '--json', json, '--log-dir', logDir]
    const code = await npmStart([...argv, ...how])
    check(code === 0, 'npm start ends with 0', `exit code ${code}`)
    if (!existsSync(json)) {
      check(false, 'it writes its figures', 'no such file')
      return
    }
    const figures = figuresFrom(readFileSync(json, 'utf8'))
    checkFigures(figures, guests, scenario, check)
    checkCosts(figures, guests, check)
    checkLogs(figures.logDir, guests, check)
    const alive = figures.pids.filter((pid) => existsSync(`/proc/${pid}`))
    check(figures.pids.length >= 4 && alive.length === 0, 'none of its processes is left', alive)
    check(!existsSync(figures.runDir), 'its run directory is gone', figures.runDir)
    const shared = sharedMemory().filter((name) => !sharedBefore.includes(name))
    check(shared.length === 0, 'no shared memory is left', shared)
    tell(figures)
    tellTargets(figures, scenario.name)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function checkFigures(
  figures: Figures,
  guests: number,
  { devices }: Scenario,
  check: (isTrue: boolean, claim: string, found: unknown) => void,
): void {
  const { ready, errors, errorTexts, ringRequests, connected, work, deaths } = figures
  check(ready === guests && figures.guests === guests, 'all guests are READY', ready)
  check(errors === 0, 'there is no error', errorTexts.slice(0, 5).join('; ') || errors)
  check(ringRequests >= 6 * guests, 'at least six requests a guest came over rings', ringRequests)
  for (const kind of devices) {
    check(connected[kind] === guests, `every ${kind} is Connected`, connected[kind])
  }
  if (work !== undefined) {
    check(work.lost === 0, 'no request of a working guest is lost', work.lost)
    check(work.missed === 0, 'and no turn of work is missed', work.missed)
    const due = guests * work.seconds * 0.95
    check(work.requests >= due, 'working guests get their requests answered', work.requests)
    check(
      work.lines >= due && work.linesLogged === work.lines,
      'and every line is in a log',
      work.linesLogged,
    )
  }
  if (deaths !== undefined) {
    check(deaths.died === victims(1000, guests), 'so many die at once', deaths.died)
    check(deaths.cleaned === deaths.died, 'all of them are cleaned up', deaths.cleaned)
    check(
      deaths.answered === guests - deaths.died,
      'all others answer at their console',
      deaths.answered,
    )
  }
}

/** The law: what a guest costs does not depend on how many others there are; and rest is rest. */
function checkCosts(
  figures: Figures,
  guests: number,
  check: (isTrue: boolean, claim: string, found: unknown) => void,
): void {
  const { idle, cpuMsPerGuest } = figures
  if (idle !== undefined) {
    const most = MAX_IDLE_TICKS * Math.max(1, idle.seconds / IDLE_S)
    for (const daemon of DAEMONS) {
      const ticks = idle.ticks[daemon] ?? Number.NaN
      check(ticks <= most, `${daemon} sleeps while all guests rest`, `${ticks} ticks`)
    }
  }
  if (guests >= MIN_GUESTS_FOR_CPU) {
    const [first, ...others] = Object.values(cpuMsPerGuest)
    const last = others.at(-1)
    for (const daemon of DAEMONS) {
      const ratio = (last?.[daemon] ?? Number.NaN) / (first?.[daemon] ?? Number.NaN)
      check(
        ratio <= MAX_GROWTH,
        `what a guest costs ${daemon} does not grow with their number`,
        ratio.toFixed(2),
      )
      tellTarget(`CPU of ${daemon} for the last guests against the first`, ratio, MAX_SLOPE)
    }
  }
}

/** Waiting depends on who else uses the computer, or the computer below it: told, never asserted. */
function tellTargets({ slope, wallS, createS, othersCpuS }: Figures, name: string): void {
  const others = (100 * othersCpuS) / (createS * CORES)
  console.log(`# others used ${others.toFixed(0)} % of the CPU`)
  for (const [what, ratio] of Object.entries(slope)) tellTarget(`slope (${what})`, ratio, MAX_SLOPE)
  if (name === 'plain') tellTarget('wall time in s', wallS, MAX_WALL_S)
}

function tellTarget(what: string, value: number | null, most: number): void {
  const isHeld = value !== null && value <= most
  const found = value === null ? '-' : value.toFixed(2)
  console.log(`# ${isHeld ? 'held' : 'missed'} - ${what}: ${found}, target ${most}`)
}

/** Who spoke, and what, from the files alone. */
function checkLogs(
  logDir: string,
  guests: number,
  check: (isTrue: boolean, claim: string, found: unknown) => void,
): void {
  const nonces = new Set<string>()
  const wrong: string[] = []
  for (const file of readdirSync(logDir, { recursive: true, encoding: 'utf8' })) {
    const name = /guest-(g\d+)\.log$/.exec(file)?.[1]
    if (name === undefined) continue
    const text = readFileSync(join(logDir, file), 'latin1')
    const said = [...text.matchAll(/^READY .* name=(\S+) nonce=(\S+) write=OK\r?$/gm)]
    if (said.length !== 1 || said[0]?.[1] !== name) wrong.push(file)
    else nonces.add(said[0][2] ?? '')
  }
  check(wrong.length === 0, 'every log has one READY line, of its own guest', wrong.slice(0, 5))
  check(nonces.size === guests, 'every guest has said a nonce of its own', nonces.size)
}

/** What a reader compares with the targets of the project. */
function tell({ createMs, readyMs, daemons, idle, work, deaths }: Figures): void {
  console.log(`# create: ${JSON.stringify(createMs)}`)
  console.log(`# READY: ${JSON.stringify(readyMs)}`)
  console.log(`# daemons: ${JSON.stringify(daemons)}`)
  if (idle !== undefined) console.log(`# idle: ${JSON.stringify(idle)} (target 2 ticks each)`)
  if (work !== undefined) console.log(`# work: ${JSON.stringify(work)}`)
  if (deaths !== undefined) console.log(`# deaths: ${JSON.stringify(deaths)}`)
}

/** At most half of them die. */
function scaled(argv: readonly string[], guests: number): string[] {
  return argv.map((word, i) =>
    argv[i - 1] === '--die' ? String(victims(Number(word), guests)) : word,
  )
}

function victims(wanted: number, guests: number): number {
  return Math.min(wanted, Math.floor(guests / 2))
}

function npmStart(argv: readonly string[]): Promise<number | null> {
  console.log(`# npm start -- ${argv.join(' ')}`)
  const child = spawn('npm', ['start', '--silent', '--', ...argv], { cwd: ROOT, stdio: 'inherit' })
  const limit = setTimeout(() => child.kill('SIGTERM'), LIMIT_MS)
  return new Promise((done, failed) => {
    child.once('error', failed)
    child.once('exit', (code) => {
      clearTimeout(limit)
      done(code)
    })
  })
}

function sharedMemory(): string[] {
  return existsSync('/dev/shm') ? readdirSync('/dev/shm') : []
}

await main()
