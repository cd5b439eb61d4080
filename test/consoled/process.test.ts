/** consoled as a process: what start scripts, service managers and operators meet. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readlinkSync, renameSync, symlinkSync } from 'node:fs'
import { request } from 'node:http'
import { resolve } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { parseExposition } from '../native/os/metrics/parse-exposition.ts'
import { buildReceiver, JournalReceiver } from '../support/a-journal.ts'
import { type ProgramProcess, startProgram } from '../support/a-program.ts'
import { SimulatedHost } from '../support/a-simulated-host.ts'

let host: SimulatedHost
const started: ProgramProcess[] = []
/** Of processes in the background. */
let pids: number[] = []
beforeAll(async () => {
  host = await SimulatedHost.start({ xen: '4.17' })
  await host.killProgram('consoled')
})
afterEach(async () => {
  for (const { child } of started) if (child.exitCode === null) child.kill('SIGKILL')
  await Promise.all(started.splice(0).map(({ ended }) => ended))
  for (const pid of pids) if (isRunning(pid)) process.kill(pid, 'SIGKILL')
  pids = []
})
afterAll(() => host.stop())

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`)
}

function machine(): string[] {
  return ['--hypervisor', 'sim', '--simulator', host.simulator.socketPath]
}

function consoled(...args: string[]): ProgramProcess {
  const all = [...machine(), '--attach', host.path('c.sock'), '--log-dir', host.logDir, ...args]
  const program = startProgram('consoled', all, { XENSTORED_PATH: host.path('store.sock') })
  started.push(program)
  return program
}

/** Serves in the background. @returns its process id */
async function inBackground(...args: string[]): Promise<number> {
  const pidFile = host.path('consoled.pid')
  const words = ['--pid-file', pidFile, '--log-file', host.path('consoled.log'), ...args]
  const { code, stdout, stderr } = await consoled(...words).ended
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' })
  const text = readFileSync(pidFile, 'latin1')
  expect(text).toMatch(/^[0-9]+\n$/)
  pids.push(Number(text))
  return Number(text)
}

async function stopped(pid: number): Promise<void> {
  process.kill(pid, 'SIGTERM')
  while (isRunning(pid)) await host.simulator.stats()
}

test('in the background it holds its pid file, with mask 027, in the folder /', async () => {
  const pid = await inBackground()
  expect(readFileSync(`/proc/${pid}/status`, 'latin1')).toMatch(/^Umask:\t0027$/m)
  expect(readlinkSync(`/proc/${pid}/cwd`)).toBe('/')
  const second = await consoled('--pid-file', host.path('consoled.pid')).ended
  expect(second.code).toBe(1)
  expect(second.stderr).toMatch(new RegExp(`^consoled: already running \\(pid ${pid}; .*\\)\\n$`))
  await stopped(pid)
  await stopped(await inBackground())
})

test('started as xenconsoled, it is found under this name', async () => {
  const program = host.path('xenconsoled')
  symlinkSync(resolve('dist/bin/consoled'), program)
  const pidFile = host.path('x.pid')
  const args = [...machine(), '--attach', host.path('c.sock'), '--log-file', host.path('x.log')]
  const { XENSTORED_RUNDIR, ...env } = process.env
  execFileSync(program, [...args, '--pid-file', pidFile], {
    env: { ...env, XENSTORED_PATH: host.path('store.sock') },
  })
  const pid = Number(readFileSync(pidFile, 'latin1'))
  pids.push(pid)
  // What start-stop-daemon --name and killall compare.
  expect(readFileSync(`/proc/${pid}/comm`, 'latin1')).toBe('xenconsoled\n')
  await stopped(pid)
})

test('-h and -V end with 0, and the version begins as scripts know it', async () => {
  const help = await consoled('-h').ended
  expect([help.code, help.stdout.split('\n')[0]]).toEqual([0, 'Usage: consoled [OPTION]…'])
  const version = await consoled('-V').ended
  expect([version.code, version.stdout.startsWith('Xen Console Daemon 3.0')]).toEqual([0, true])
})

test('without the rights it ends with EPERM', () => {
  const program = resolve('dist/lib/consoled.cjs')
  const words = [process.execPath, program, '--no-fork']
  const asNobody = ['--reuid=65534', '--regid=65534', '--clear-groups']
  const { status, stderr } = spawnSync('setpriv', [...asNobody, ...words], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([1, 'consoled: only root may serve consoles\n'])
})

test('what it is told, and by whom, it prints', async () => {
  const { code, stdout } = await consoled('--log=guest', '--log=hv', '--print-config').ended
  expect(code).toBe(0)
  expect(stdout).toContain('log = guest hv  # flag\n')
  expect(stdout).toContain('log-to = files  # default\n')
  expect(stdout).toContain('metrics =   # default\n')
  expect(stdout).toContain('pid-file = /run/xen/xenconsoled.pid  # default\n')
})

test('how many descriptors there are is said once', async () => {
  const program = consoled('--no-fork')
  await program.said(/"msg":"serving consoles"/)
  program.child.kill('SIGTERM')
  const { code, stderr } = await program.ended
  expect(code).toBe(0)
  const lines = stderr.split('\n').filter((line) => line.includes('room for logs'))
  expect(lines).toHaveLength(1)
  const { descriptors, openLogs } = JSON.parse(lines[0] ?? '')
  // As many as Linux lets it have, as far as more than that could be of use.
  const [, hard] =
    /^Max open files +\S+ +(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
  expect(descriptors).toBeGreaterThanOrEqual(Math.min(Number(hard), 262_144))
  expect(openLogs).toBeLessThan(descriptors)
})

test('guests go to files and to the journal, and are measured; SIGHUP begins new files', async () => {
  const journal = await JournalReceiver.start(buildReceiver(host.path()), host.path('journal'))
  const metrics = ['--metrics', `unix:${host.path('metrics')}`]
  const journalled = ['--log-to', 'both', '--journal', host.path('journal')]
  const program = consoled('--no-fork', '--log', 'guest', ...journalled, ...metrics)
  await program.said(/"msg":"serving consoles"/)
  expect((await host.create('web')).code).toBe(0)
  const ready = await host.news.said(/^ready \d+ web /)
  const domid = ready.split(' ')[1]
  while (journal.entries.length === 0) await host.simulator.stats()
  const log = `${host.logDir}/guest-web.log`
  // The journal is told first.
  while (readFileSync(log).length === 0) await host.simulator.stats()
  const text = readFileSync(log, 'latin1')
  expect(text).toMatch(/^READY /)
  const [entry] = journal.entries
  expect(Object.fromEntries(entry ?? [])).toMatchObject({
    MESSAGE: text.trimEnd(),
    PRIORITY: '6',
    SYSLOG_IDENTIFIER: 'consoled',
    XEN_DOMID: domid,
    XEN_NAME: 'web',
  })
  const page = parseExposition(await scrape(host.path('metrics')))
  const figure = (name: string) => page.get(name)?.samples.get(name)
  expect(figure('consoled_output_bytes_total')).toBe(text.length)
  expect(figure('consoled_open_logs')).toBe(1)
  renameSync(log, `${log}.1`)
  program.child.kill('SIGHUP')
  while (!existsSync(log)) await host.simulator.stats()
  expect((await host.xcl(['destroy', 'web'])).code).toBe(0)
  await program.said(new RegExp(`"domid":${domid},"msg":"console closed"`))
  await journal.stop()
})

function scrape(socketPath: string): Promise<string> {
  return new Promise((done, fail) => {
    const asked = request({ socketPath, path: '/metrics' }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('end', () => done(text))
    })
    asked.on('error', fail).end()
  })
}
