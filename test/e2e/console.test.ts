/**
 * `xcl console` and `xcl logs` as a person has them: the typed program at a terminal, with the daemons as
 * processes on the simulated machine, which are killed and started again meanwhile.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { Pty } from '../../native/os/pty.ts'
import { SimulatedHost } from '../support/a-simulated-host.ts'
import { aFolder } from '../support/a-socket-peer.ts'

const SOURCES = fileURLToPath(new URL('../../xcl/client', import.meta.url))
const build = aFolder()
const program = join(build.path, 'xcl')

let host: SimulatedHost | undefined
const terminals: PersonsTerminal[] = []

beforeAll(() => {
  const sources = readdirSync(SOURCES).filter((name) => name.endsWith('.c'))
  const files = sources.map((name) => join(SOURCES, name))
  execFileSync('cc', ['-std=c17', '-O1', '-static', '-o', program, ...files])
})
afterAll(() => build.remove())
afterEach(async () => {
  for (const terminal of terminals.splice(0)) terminal.close()
  await host?.stop()
  host = undefined
})

/** A terminal with `xcl` running in it. */
class PersonsTerminal {
  /** All that was ever on the screen. */
  screen = ''
  readonly ended: Promise<number | null>
  readonly #pty: Pty
  readonly #child: ChildProcess
  readonly #slave: number

  constructor(host: SimulatedHost, argv: readonly string[]) {
    this.#pty = Pty.open({
      ptyInput: (bytes) => {
        this.screen += Buffer.from(bytes).toString('utf8')
      },
      ptyWritable: () => undefined,
      ptyFailed: () => undefined,
    })
    this.#slave = openSync(this.#pty.slavePath, 'r+')
    execFileSync('stty', ['-F', this.#pty.slavePath, 'sane', 'cols', '100', 'rows', '40'])
    this.#child = spawn(program, argv, {
      stdio: [this.#slave, this.#slave, this.#slave],
      env: { XCLD_SOCKET: host.path('xcld.sock'), XCLD: '/nonexistent/xcld' },
    })
    this.ended = new Promise((resolve) => this.#child.on('close', resolve))
    terminals.push(this)
  }

  /** Settles when it is to be seen; fails when the program ends before. */
  async shows(what: string | RegExp): Promise<void> {
    const isSeen = (): boolean =>
      typeof what === 'string' ? this.screen.includes(what) : what.test(this.screen)
    let hasEnded = false
    void this.ended.then(() => {
      hasEnded = true
    })
    while (!isSeen()) {
      if (hasEnded) await new Promise((resolve) => setImmediate(resolve))
      if (hasEnded && !isSeen()) throw new Error(`ended, and shows ${JSON.stringify(this.screen)}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  type(text: string): void {
    const bytes = Buffer.from(text)
    this.#pty.write(bytes, 0, bytes.length)
  }

  close(): void {
    this.#child.kill('SIGKILL')
    closeSync(this.#slave)
    this.#pty.close()
  }
}

/** A guest that is up, with a person at its console. */
async function atConsole(...more: string[]): Promise<{ host: SimulatedHost; at: PersonsTerminal }> {
  host = await SimulatedHost.start()
  expect((await host.create('demo')).code).toBe(0)
  await host.news.said(/^ready \d+ demo /)
  const at = new PersonsTerminal(host, ['console', 'demo', ...more])
  return { host, at }
}

let asked = 0

/** The guest answers. */
async function answers(at: PersonsTerminal): Promise<void> {
  const word = `word-${asked++}`
  at.type(`echo ${word}\r`)
  await at.shows(new RegExp(`${word}\\r\\n`))
}

describe('xcl console', () => {
  test('shows what was said, takes what is typed, and is left by its key', async () => {
    const { at } = await atConsole()
    await at.shows(/READY/)
    await answers(at)
    at.type('\x1d')
    expect(await at.ended).toBe(0)
  })

  test('only looks when it is told to', async () => {
    const { host, at } = await atConsole('--ro')
    await at.shows(/READY/)
    at.type('echo never\r')
    const other = new PersonsTerminal(host, ['console', 'demo'])
    await answers(other)
    expect(at.screen).not.toContain('never')
    const third = new PersonsTerminal(host, ['console', '-x', 'demo'])
    expect(await third.ended).toBe(1)
    expect(third.screen).toMatch(
      /demo is written by xcl:\d+,pts\/\d+\r\n {2}hint: with --ro you only look\r\n/,
    )
  })

  test('ends with the guest, in a sentence', async () => {
    const { host, at } = await atConsole()
    await at.shows(/READY/)
    expect((await host.xcl(['destroy', 'demo'])).code).toBe(0)
    expect(await at.ended).toBe(0)
    expect(at.screen).toMatch(/\r\nxcl: demo has ended\r\n$/)
  })

  test('goes on with the guest when that is rebooted', async () => {
    const { host, at } = await atConsole()
    await at.shows(/READY/)
    expect((await host.xcl(['reboot', '-w', 'demo'])).code).toBe(0)
    await at.shows(/xcl: demo was rebooted and is domain \d+ now\r\n[\s\S]*READY/)
    await answers(at)
  })

  test('lives on when xcld ends, however it ends', async () => {
    const { host, at } = await atConsole()
    await at.shows(/READY/)
    await host.killProgram('xcld', 'SIGKILL')
    await answers(at)
    await host.startProgram('xcld')
    await host.killProgram('consoled')
    await host.startProgram('consoled')
    await at.shows('consoled is back, and so are you')
    await answers(at)
    expect((await host.killProgram('xcld', 'SIGTERM')).code).toBe(0)
    await answers(at)
    at.type('\x1d')
    expect(await at.ended).toBe(0)
  })

  test('is left also when nobody is there to go on with it', async () => {
    const { host, at } = await atConsole()
    await at.shows(/READY/)
    await host.killProgram('xcld')
    await host.killProgram('consoled')
    at.type('\x1d')
    expect(await at.ended).toBe(0)
  })

  test('finds the guest rebooted by an xcld that it has not known', async () => {
    const { host, at } = await atConsole()
    await at.shows(/READY/)
    await host.killProgram('xcld')
    await host.startProgram('xcld')
    expect((await host.xcl(['reboot', '-w', 'demo'])).code).toBe(0)
    await at.shows(/xcl: demo was rebooted and is domain \d+ now\r\n[\s\S]*READY/)
    expect((await host.xcl(['destroy', 'demo'])).code).toBe(0)
    expect(await at.ended).toBe(0)
  })
})

describe('what a guest prints while consoled is killed', () => {
  const LINES = 600

  test('is shown once, every line, to who is attached', async () => {
    host = await SimulatedHost.start()
    expect((await host.create('demo', ['cmdline = "script=print"'])).code).toBe(0)
    const at = new PersonsTerminal(host, ['console', 'demo'])
    while (!(await host.traces()).records.some((record) => record.startsWith('domains'))) {
      // The record is written a moment before the answer.
    }
    await host.simulator.print(LINES, 200)
    for (const line of [50, 200, 350]) {
      await at.shows(new RegExp(` line ${line} `))
      await host.killProgram('consoled')
      await host.startProgram('consoled')
    }
    await at.shows(new RegExp(` line ${LINES} [^\\n]*\\n`))
    const numbers = [...at.screen.matchAll(/ line (\d+) /g)].map(([, number]) => Number(number))
    expect(numbers).toEqual(Array.from({ length: LINES }, (_, i) => i + 1))
    const log = readFileSync(join(host.logDir, 'guest-demo.log'), 'latin1')
    const shown = at.screen.replace(/\r\nxcl: [^\r]*\r\n/g, '')
    expect(shown.endsWith(log)).toBe(true)
  })
})

describe('xcl logs', () => {
  test('shows the log of a guest that is there and of one that is gone', async () => {
    host = await SimulatedHost.start()
    await host.create('demo')
    await host.news.said(/^ready \d+ demo /)
    const log = (): string => readFileSync(join(host?.logDir ?? '', 'guest-demo.log'), 'latin1')
    // consoled hears of a guest when that may have spoken already.
    await new PersonsTerminal(host, ['console', 'demo']).shows('READY')
    const there = await host.xcl(['logs', 'demo'])
    expect(there).toMatchObject({ code: 0, stderr: '' })
    expect(there.stdout).toContain('READY')
    await host.xcl(['destroy', 'demo'])
    const gone = await host.xcl(['logs', 'demo'])
    expect(gone).toMatchObject({ code: 0, stdout: log() })
    expect((await host.xcl(['logs', '-n', '1', 'demo'])).stdout).toBe(
      `${log().split('\n').at(-2)}\n`,
    )
  })

  test('shows what was logged before consoled was told to log no more, and does not wait for more', async () => {
    const before = aFolder()
    onTestFinished(() => before.remove())
    writeFileSync(join(before.path, 'guest-demo.log'), 'of before\n')
    host = await SimulatedHost.start({
      args: { consoled: ['--log', 'none'], xcld: ['--console-log-dir', before.path] },
    })
    await host.create('demo')
    const shown = await host.xcl(['logs', 'demo'])
    expect(shown).toMatchObject({ code: 0, stdout: 'of before\n' })
    expect(shown.stderr).toMatch(/^xcl: [^\n]*: what follows is of before\n$/)
    const refused = await host.xcl(['logs', '-f', 'demo'])
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toContain('journalctl -f XEN_NAME=demo')
  })

  test('follows the log through restarts of the guest and of consoled', async () => {
    const { host, at } = await atConsole()
    const following = new PersonsTerminal(host, ['logs', '-f', 'demo'])
    await following.shows('READY')
    await answers(at)
    await following.shows('word-')
    await host.killProgram('consoled')
    await host.startProgram('consoled')
    await host.xcl(['reboot', '-w', 'demo'])
    await following.shows(/BYE[\s\S]*READY/)
    following.type('\x03')
    // Terminals of tests have no foreground group: the key is only echoed.
    await following.shows('^C')
  })
})
