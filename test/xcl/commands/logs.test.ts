import { appendFileSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { runCommandLine } from '../../../xcl/cli.ts'
import type { Terminal } from '../../../xcl/commands/command.ts'
import { createDomain } from '../../../xcl/domain/create.ts'
import { TestHost, until } from '../a-host.ts'

let host: TestHost
let consoled: Server | undefined
let stdout: Buffer
let stderr: string
let leaving: AbortController

beforeEach(() => {
  host = new TestHost()
  mkdirSync(join(host.folder.path, 'logs'), { recursive: true })
  stdout = Buffer.alloc(0)
  stderr = ''
  leaving = new AbortController()
})
afterEach(async () => {
  leaving.abort()
  consoled?.close()
  consoled = undefined
  await host.stop()
})

/** Runs `xcl logs`; its output goes to a terminal, or else to a pipe. */
async function logs(argv: readonly string[], isTerminal = false): Promise<number> {
  const session: Terminal = {
    request: {
      argv: ['logs', ...argv],
      cwd: '/',
      isTerminal: [isTerminal, isTerminal, isTerminal],
      columns: 0,
      env: new Map(),
    },
    signal: leaving.signal,
    receivedAtMs: 0,
    stdout: () => undefined,
    stderr: (text) => {
      stderr += text
    },
    print: async (bytes) => {
      stdout = Buffer.concat([stdout, bytes])
    },
    readStdin: async () => '',
    attach: () => Promise.reject(new Error('no terminal')),
  }
  return await runCommandLine(host.toolstack, session)
}

/** A log where there is no consoled to say where logs are. */
function aLog(name: string, text: string | Buffer): string {
  const path = join(host.folder.path, 'logs', `guest-${name}.log`)
  writeFileSync(path, text)
  return path
}

/** consoled's answers by request. */
async function answering(answers: Readonly<Record<string, string>>): Promise<void> {
  const server = createServer((socket) => {
    socket.on('data', (bytes) => socket.end(`${answers[bytes.toString().trimEnd()]}\n`))
  })
  await new Promise<void>((resolve) => {
    server.listen(join(host.folder.path, 'consoled.sock'), resolve)
  })
  consoled = server
}

describe('the log of a guest', () => {
  test('is where consoled says, by number when it is there and by name when it is not', async () => {
    const here = aLog('one', 'of one\n')
    const gone = aLog('two', 'of two\n')
    const { domid } = await createDomain(host.toolstack, host.config())
    await answering({ [`logs ${domid}`]: `ok ${here}`, 'logs late': `ok ${gone}` })
    expect(await logs(['demo'])).toBe(0)
    expect(await logs(['late'])).toBe(0)
    expect(stdout.toString()).toBe('of one\nof two\n')
  })

  test('is found by name where consoled does not know the number', async () => {
    const path = aLog('one', 'of one\n')
    const { domid } = await createDomain(host.toolstack, host.config())
    await answering({ [`logs ${domid}`]: 'error there is no domain 1', 'logs demo': `ok ${path}` })
    expect(await logs(['demo'])).toBe(0)
    expect(stdout.toString()).toBe('of one\n')
  })

  test('is where xenconsoled has it when there is no consoled', async () => {
    aLog('old guest', 'of old\n')
    expect(await logs(['old guest'])).toBe(0)
    expect(stdout.toString()).toBe('of old\n')
  })

  describe('when consoled writes none', () => {
    const NOT_LOGGED = 'what guests print is not logged to files here'
    const otherwise = (command: string) =>
      `  hint: ${command}, where consoled logs to the journal; consoled --log guest logs to files\n`

    test('is not to be had', async () => {
      await answering({ 'logs demo': `error ${NOT_LOGGED}` })
      expect(await logs(['demo'])).toBe(1)
      expect(stderr).toBe(`xcl: ${NOT_LOGGED}\n${otherwise('journalctl XEN_NAME=demo')}`)
      expect(stdout.toString()).toBe('')
    })

    test('is what was written before, and that is said', async () => {
      const path = aLog('demo', 'new\n')
      writeFileSync(`${path}.1`, 'old\n')
      await answering({ 'logs demo': `error ${NOT_LOGGED}` })
      expect(await logs(['demo'])).toBe(0)
      expect(stdout.toString()).toBe('old\nnew\n')
      expect(stderr).toBe(`xcl: ${NOT_LOGGED}: what follows is of before\n`)
    })

    test('is not waited for, whether there are files of before or not', async () => {
      await answering({ "logs it's": `error ${NOT_LOGGED}` })
      expect(await logs(['-f', `it's`])).toBe(1)
      const hint = otherwise(`journalctl -f 'XEN_NAME=it'\\''s'`)
      expect(stderr).toBe(`xcl: ${NOT_LOGGED}\n${hint}`)
      aLog(`it's`, 'old\n')
      stderr = ''
      expect(await logs(['-f', `it's`])).toBe(1)
      expect(stderr).toBe(
        `xcl: ${NOT_LOGGED}; without --follow what is of before is shown\n${hint}`,
      )
      expect(stdout.toString()).toBe('')
    })
  })

  test('is not looked for elsewhere when consoled refuses for another reason', async () => {
    aLog('demo', 'old\n')
    await answering({ 'logs demo': 'error too many viewers' })
    expect(await logs(['demo'])).toBe(1)
    expect([stdout.toString(), stderr]).toEqual(['', 'xcl: too many viewers\n'])
  })

  test('is shown whole when consoled puts no times before lines, whatever the guest printed', async () => {
    const path = aLog('one', '[2000-01-01 00:00:00] hi\n')
    await answering({ 'logs one': `ok plain ${path}` })
    expect(await logs(['--since', '1h', 'one'])).toBe(0)
    expect(stdout.toString()).toBe('[2000-01-01 00:00:00] hi\n')
    expect(stderr).toContain('whole files follow')
    stdout = Buffer.alloc(0)
    consoled?.close()
    await answering({ 'logs one': `ok stamped ${path}` })
    expect(await logs(['--since', '1h', 'one'])).toBe(0)
    expect(stdout.toString()).toBe('')
  })

  test('is no folder', async () => {
    mkdirSync(join(host.folder.path, 'logs', 'guest-demo.log'))
    expect(await logs(['demo'])).toBe(1)
    expect(stderr).toMatch(/^xcl: [^\n]*guest-demo\.log is no log: it is no regular file\n$/)
  })

  test('of one that is gone is found by name; that is said, and harmless', async () => {
    expect(await logs(['77'])).toBe(4)
    expect(stderr).toContain('hint: the log of a guest that is gone is found by its name\n')
    stderr = ''
    expect(await logs(['a\x1b]0;x\x07b\nc'])).toBe(4)
    expect(stderr).toMatch(/^xcl: no domain a\^\[\]0;x\^Gb\^Jc that could have a log\n/)
  })

  test.each([
    ['nobody'],
    ['../../etc/passwd'],
    ['77'],
    ['a\nb'],
    ['x'.repeat(300)],
  ])('%j is of no such domain', async (name) => {
    expect(await logs([name])).toBe(4)
    expect(stderr).toMatch(/^xcl: no domain /)
  })
})

describe('what is shown', () => {
  const ODD = Buffer.from('\x1b]0;x\x07one\r\n\xff\ntwo', 'latin1')

  test('is byte by byte what was logged, in a pipe', async () => {
    aLog('demo', ODD)
    await logs(['demo'])
    expect(stdout.equals(ODD)).toBe(true)
  })

  test('is harmless to a terminal, and ends its line', async () => {
    aLog('demo', ODD)
    await logs(['demo'], true)
    expect(stdout.toString()).toBe('^[]0;x^Gone\n<FF>\ntwo\n')
  })

  test('is what was logged on a terminal, too, when that is wanted', async () => {
    aLog('demo', ODD)
    await logs(['--raw', 'demo'], true)
    expect(stdout.equals(ODD)).toBe(true)
  })

  test('is of all files, or the last lines of them', async () => {
    const path = aLog('demo', 'three\nfour\n')
    writeFileSync(`${path}.1`, 'one\ntwo\n')
    await logs(['demo'])
    expect(stdout.toString()).toBe('one\ntwo\nthree\nfour\n')
    stdout = Buffer.alloc(0)
    await logs(['-n', '3', 'demo'])
    expect(stdout.toString()).toBe('two\nthree\nfour\n')
  })

  test('is exact since a time where lines have times, and says so where they have none', async () => {
    // The clock of the host stands at 2026-01-31 12:05 UTC.
    const path = aLog('demo', '[2026-01-31 00:00:00] old\n[2099-01-31 00:00:00] new\n')
    await logs(['--since', '2026-02-01', 'demo'])
    expect([stdout.toString(), stderr]).toEqual(['[2099-01-31 00:00:00] new\n', ''])
    stdout = Buffer.alloc(0)
    writeFileSync(path, 'new\n')
    writeFileSync(`${path}.1`, 'old\n')
    utimesSync(`${path}.1`, 1000, 1000)
    await logs(['--since', '1h', 'demo'])
    expect(stdout.toString()).toBe('new\n')
    expect(stderr).toMatch(
      /^xcl: not all lines of this log have the time [^\n]*: whole files follow\n$/,
    )
  })

  test.each([
    [['--since', 'soon', 'demo'], '"soon" is no time'],
    [['-n', 'many', 'demo'], '--lines takes a number, not "many"'],
  ])('%j is wrong usage', async (argv, sentence) => {
    expect(await logs(argv)).toBe(2)
    expect(stderr).toContain(sentence)
  })

  test('goes on, from the last ten lines, until it is interrupted', async () => {
    const lines = Array.from({ length: 12 }, (_, i) => `line ${i}\n`)
    const path = aLog('demo', lines.join(''))
    const ended = logs(['-f', 'demo'])
    await until(() => stdout.toString() === lines.slice(2).join(''))
    appendFileSync(path, 'more\n')
    await until(() => stdout.toString().endsWith('more\n'))
    leaving.abort()
    expect(await ended).toBe(130)
  })
})
