import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ResultsJson } from '../../bench/start/json.ts'
import { isAlive } from '../../bench/start/proc.ts'
import { aFolder } from '../support/a-socket-peer.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const MAIN = join(ROOT, 'bench/start/main.ts')
const LIMIT_MS = 60_000

// Each test starts five programs, on whatever else the computer does.
vi.setConfig({ testTimeout: LIMIT_MS })

/** `npm start` without the build, in a folder for temporary files of its own. */
class Start {
  readonly child: ChildProcess
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  stdout = ''
  stderr = ''
  readonly #temporary: string

  constructor(folder: string, ...args: string[]) {
    this.#temporary = join(folder, 'tmp')
    mkdirSync(this.#temporary, { recursive: true })
    this.child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), MAIN, ...args], {
      cwd: ROOT,
      env: { ...process.env, TMPDIR: this.#temporary },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code, signal) => resolve({ code, signal }))
    })
  }

  /** Settles when it has said that; fails when it ends before. */
  said(pattern: RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (pattern.test(this.stdout)) resolve()
      }
      this.child.stdout?.on('data', look)
      look()
      this.ended.then(() => reject(new Error(`ended: ${this.stdout}${this.stderr}`)))
    })
  }

  /** Its processes by name, once they are started. */
  async pids(): Promise<Map<string, number>> {
    await this.said(/^started .*\n/m)
    const [line = ''] = /^started .*$/m.exec(this.stdout) ?? []
    return new Map(
      [...line.matchAll(/([a-z]+) ([0-9]+)/g)].map(([, name, pid]) => [name ?? '', Number(pid)]),
    )
  }

  /** Folders of runs that are there. */
  get runDirs(): string[] {
    return readdirSync(this.#temporary).filter((name) => name.startsWith('xcl-start-'))
  }

  get xcldSocket(): string {
    return join(this.#temporary, this.runDirs[0] ?? '', 'xcld.sock')
  }
}

let folder: ReturnType<typeof aFolder>
let starts: Start[]

beforeEach(() => {
  folder = aFolder()
  starts = []
})

afterEach(async () => {
  for (const { child } of starts) if (child.exitCode === null) child.kill('SIGKILL')
  await Promise.all(starts.map(({ ended }) => ended))
  folder.remove()
})

function start(...args: string[]): Start {
  const started = new Start(folder.path, ...args)
  starts.push(started)
  return started
}

/** A short run with its own logs. */
function startShort(...args: string[]): Start {
  const logs = join(folder.path, `logs-${starts.length}`)
  return start('--warm-up', '10', '--log-dir', logs, ...args)
}

function alive(pids: Iterable<number>): number[] {
  return [...pids].filter(isAlive)
}

describe('with --exit', () => {
  test('guests are created, each says its own nonce in its own log, and nothing is left', async () => {
    const json = join(folder.path, 'out.json')
    const run = startShort('--guests', '60', '--exit', '--json', json)
    expect(await run.ended, run.stderr).toEqual({ code: 0, signal: null })
    const figures: ResultsJson = JSON.parse(readFileSync(json, 'utf8'))
    expect(figures).toMatchObject({ guests: 60, ready: 60, errors: 0 })
    expect(figures.ringRequests).toBeGreaterThanOrEqual(6 * 60)
    expect(figures.createMs['60']?.p50).toBeGreaterThan(0)
    expect(figures.pids).toHaveLength(5)
    expect(alive(figures.pids)).toEqual([])
    expect(existsSync(figures.runDir)).toBe(false)
    expect(run.runDirs).toEqual([])
    const nonces = new Set<string>()
    for (let i = 1; i <= 60; i++) {
      const name = `g${String(i).padStart(5, '0')}`
      const log = readFileSync(join(figures.logDir, `guest-${name}.log`), 'latin1')
      const said = [...log.matchAll(/^READY .* name=(\S+) nonce=(\S+) write=OK\r?$/gm)]
      expect(said.map(([, who]) => who)).toEqual([name])
      nonces.add(said[0]?.[2] ?? '')
    }
    expect(nonces.size).toBe(60)
    expect(run.stdout).toMatch(/^60 guests, 60 READY, no errors$/m)
  })

  test('devices are connected, guests work, some die, and the others do not notice', async () => {
    const json = join(folder.path, 'out.json')
    const phases = [
      '--idle',
      '1',
      '--work',
      '1',
      '--rate',
      '5',
      '--die',
      '10',
      '--die-how',
      'vanish',
    ]
    const devices = ['--devices', 'vif,vbd', '--svg', join(folder.path, 'run.svg')]
    const run = startShort('--guests', '40', '--exit', '--json', json, ...devices, ...phases)
    expect(await run.ended, run.stderr + run.stdout).toEqual({ code: 0, signal: null })
    const figures: ResultsJson = JSON.parse(readFileSync(json, 'utf8'))
    expect(figures).toMatchObject({ ready: 40, errors: 0, connected: { vif: 40, vbd: 40 } })
    expect(figures.work?.requests).toBeGreaterThanOrEqual(40)
    expect(figures.work?.lost).toBe(0)
    expect(figures.work?.linesLogged).toBe(figures.work?.lines)
    expect(figures.deaths).toMatchObject({ died: 10, cleaned: 10, survivors: 30, answered: 30 })
    expect(readFileSync(join(folder.path, 'run.svg'), 'utf8')).toContain('</svg>')
  })
})

describe('staying up', () => {
  test('commands work from a second terminal, and Ctrl-C leaves nothing', async () => {
    const run = startShort('--guests', '5')
    await run.said(/destroy g00001/)
    const pids = await run.pids()
    const xcl = (...args: string[]): string =>
      execFileSync(join(ROOT, 'dist/bin/xcl'), args, {
        encoding: 'utf8',
        env: { ...process.env, XCLD_SOCKET: run.xcldSocket },
      })
    expect(xcl('list', '--format', 'name').split('\n')).toContain('g00005')
    xcl('destroy', 'g00005')
    expect(xcl('list', '--format', 'name').split('\n')).not.toContain('g00005')
    run.child.kill('SIGINT')
    expect(await run.ended).toEqual({ code: 130, signal: null })
    expect(run.stdout).toContain('nothing is left')
    expect(alive(pids.values())).toEqual([])
    expect(run.runDirs).toEqual([])
  })

  test('a reader that goes away ends it, too', async () => {
    const run = startShort('--guests', '5')
    const pids = await run.pids()
    run.child.stdout?.destroy()
    expect((await run.ended).code).toBe(141)
    expect(alive(pids.values())).toEqual([])
    expect(run.runDirs).toEqual([])
  })
})

describe('in the middle of it', () => {
  test('SIGTERM takes everything down', async () => {
    const run = startShort('--guests', '5000')
    const pids = await run.pids()
    run.child.kill('SIGTERM')
    expect(await run.ended).toEqual({ code: 143, signal: null })
    expect(alive(pids.values())).toEqual([])
    expect(run.runDirs).toEqual([])
  })

  // Told when 1,000 guests are there: the guests that count are on their way.
  for (const name of ['simulator', 'lixs', 'consoled', 'xcld']) {
    test(`the end of ${name} among the guests ends everything, with a message, and a start works again`, async () => {
      const run = startShort('--guests', '20000', '--warm-up', '0')
      const pids = await run.pids()
      await run.said(/^creating +1,000 of 20,000 guests/m)
      process.kill(pids.get(name) ?? 0, 'SIGKILL')
      expect((await run.ended).code).toBe(1)
      const first = `npm start: ${name} (pid ${pids.get(name)}) was ended by SIGKILL;`
      expect(run.stderr.split('\n')[0]).toContain(first)
      expect(alive(pids.values())).toEqual([])
      expect(run.runDirs).toEqual([])
      const next = startShort('--guests', '20', '--warm-up', '0', '--exit')
      expect(await next.ended, next.stderr).toEqual({ code: 0, signal: null })
    })
  }

  test('kill -9 of the starter takes its processes along, and the next run cleans up', async () => {
    const run = startShort('--guests', '5000')
    const pids = await run.pids()
    run.child.kill('SIGKILL')
    await run.ended
    await expect.poll(() => alive(pids.values()), { timeout: LIMIT_MS }).toEqual([])
    expect(run.runDirs).toHaveLength(1)
    const next = startShort('--guests', '5', '--exit')
    expect(await next.ended, next.stderr).toEqual({ code: 0, signal: null })
    expect(next.runDirs).toEqual([])
  })
})

test('wrong usage is one sentence and exit code 2; nothing is started', async () => {
  const run = start('--devices', 'usb')
  expect(await run.ended).toEqual({ code: 2, signal: null })
  expect(run.stderr).toBe(
    'npm start: --devices: "usb" is none of vif, vbd; try npm start -- --help\n',
  )
  expect(run.runDirs).toEqual([])
})

for (const place of ['/proc/x', join(MAIN, 'x')]) {
  test(`a folder for logs that cannot be made is one sentence: ${place.slice(-9)}`, async () => {
    const run = start('--log-dir', place)
    expect(await run.ended).toEqual({ code: 1, signal: null })
    expect(run.stderr).toMatch(/^npm start: .*\n$/)
    expect(run.runDirs).toEqual([])
  })
}
