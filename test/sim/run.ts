/**
 * Ten thousand guests on the simulated machine, as anybody runs them, and what is to be seen of it
 * from outside: exit code, figures, logs, and that nothing is left. Speed is told, and not judged:
 * that is for whoever reads it, on a machine that is quiet.
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
/** Of a run of 10,000 with all its phases; a hanging one ends here. */
const LIMIT_MS = 15 * 60_000

interface Scenario {
  readonly name: string
  readonly argv: readonly string[]
  readonly devices: readonly ('vif' | 'vbd')[]
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'plain',
    argv: ['--xen', '4.17', '--idle', '60', '--work', '60', '--die', '1000', '--die-how', 'vanish'],
    devices: [],
  },
  {
    name: 'devices',
    argv: ['--xen', '4.21', '--devices', 'vif,vbd', '--die', '1000', '--die-how', 'crash'],
    devices: ['vif', 'vbd'],
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
    options: { guests: { type: 'string', default: '10000' }, only: { type: 'string' } },
  })
  const guests = Number(values.guests)
  const claims = new Claims()
  const scenarios = SCENARIOS.filter(
    ({ name }) => values.only === undefined || values.only === name,
  )
  if (scenarios.length === 0) {
    throw new Error(`--only: there are ${SCENARIOS.map(({ name }) => name).join(', ')}`)
  }
  for (const scenario of scenarios) await runScenario(scenario, guests, claims)
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
    checkLogs(figures.logDir, guests, check)
    const alive = figures.pids.filter((pid) => existsSync(`/proc/${pid}`))
    check(figures.pids.length >= 4 && alive.length === 0, 'none of its processes is left', alive)
    check(!existsSync(figures.runDir), 'its run directory is gone', figures.runDir)
    const shared = sharedMemory().filter((name) => !sharedBefore.includes(name))
    check(shared.length === 0, 'no shared memory is left', shared)
    tell(figures)
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
    check(deaths.died === Math.min(1000, guests / 10), 'so many die at once', deaths.died)
    check(deaths.cleaned === deaths.died, 'all of them are cleaned up', deaths.cleaned)
    check(
      deaths.answered === guests - deaths.died,
      'all others answer at their console',
      deaths.answered,
    )
  }
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
function tell({ slope, wallS, createMs, readyMs, daemons, idle, work, deaths }: Figures): void {
  console.log(`# create: ${JSON.stringify(createMs)}`)
  console.log(`# READY: ${JSON.stringify(readyMs)}`)
  console.log(`# daemons: ${JSON.stringify(daemons)}`)
  console.log(`# slope: create ${slope.create}, READY ${slope.ready} (target 1.2)`)
  console.log(`# wall: ${wallS} s (target 60 without devices, two quiet cores)`)
  if (idle !== undefined) console.log(`# idle: ${JSON.stringify(idle)} (target 2 ticks each)`)
  if (work !== undefined) console.log(`# work: ${JSON.stringify(work)}`)
  if (deaths !== undefined) console.log(`# deaths: ${JSON.stringify(deaths)}`)
}

/** A tenth of them may die, and 1,000 of 10,000. */
function scaled(argv: readonly string[], guests: number): string[] {
  return argv.map((word, i) =>
    argv[i - 1] === '--die' ? String(Math.min(Number(word), Math.floor(guests / 10))) : word,
  )
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
