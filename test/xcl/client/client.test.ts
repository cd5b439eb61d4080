import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Pty } from '../../../native/os/pty.ts'
import { type ConsoleTarget, FRAME_MAX } from '../../../xcl/daemon/protocol.ts'
import { CommandServer } from '../../../xcl/daemon/server.ts'
import type { AttachmentEnd, Session } from '../../../xcl/daemon/session.ts'
import { aFolder } from '../../support/a-socket-peer.ts'

const SOURCES = fileURLToPath(new URL('../../../xcl/client', import.meta.url))

const build = aFolder()
const program = join(build.path, 'bin', 'xcl')
/** Where `npm start` leaves word of its run directory. */
const runLink = join(build.path, 'run')
let folder: { readonly path: string; remove(): void }
let socketPath: string
const closing: (() => void)[] = []

beforeAll(() => {
  mkdirSync(join(build.path, 'bin'))
  const sources = readdirSync(SOURCES).filter((name) => name.endsWith('.c'))
  const flags = ['-std=c17', '-O1', '-static', '-Wall', '-Wextra', '-Werror']
  execFileSync('cc', [...flags, '-o', program, ...sources.map((name) => join(SOURCES, name))])
})
afterAll(() => build.remove())
beforeEach(() => {
  folder = aFolder()
  socketPath = join(folder.path, 'xcld.sock')
})
afterEach(() => {
  for (const close of closing.splice(0)) close()
  folder.remove()
})

interface Ended {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

interface Running {
  readonly child: ChildProcess
  readonly stdout: Readable
  readonly ended: Promise<Ended>
}

function run(
  args: readonly string[],
  env: Record<string, string> = {},
  stdin: 'pipe' | number = 'pipe',
): Running {
  const child = spawn(program, args, {
    stdio: [stdin, 'pipe', 'pipe'],
    env: { XCLD_SOCKET: socketPath, XCLD: '/nonexistent/xcld', ...env },
  })
  if (child.stdout === null || child.stderr === null) throw new Error('no pipes')
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (bytes) => {
    stdout += bytes
  })
  child.stderr.on('data', (bytes) => {
    stderr += bytes
  })
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (status, signal) => resolve({ status, signal, stdout, stderr }))
  })
  return { child, stdout: child.stdout, ended }
}

/** xcld's side of the protocol, with a command of the test's. */
async function serve(
  command: (session: Session) => Promise<number>,
  path = socketPath,
): Promise<void> {
  const server = await CommandServer.listen(path, command)
  closing.push(() => server.close())
}

/** A server that says what no xcld would. */
async function serveRaw(path: string, answer: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    answer(socket)
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  closing.push(() => server.close())
  return server
}

describe('a command', () => {
  test('is handed over with what it needs, and its output and exit code come back', async () => {
    await serve(async ({ request }) => request.argv.length)
    expect(await run(['a', '', 'c d']).ended).toMatchObject({ status: 3, stdout: '', stderr: '' })
  })

  test('writes to both outputs, of any length', async () => {
    const long = 'x'.repeat(3 * FRAME_MAX + 1)
    await serve(async (session) => {
      session.stdout(long)
      session.stderr('told\n')
      return 0
    })
    expect(await run([]).ended).toMatchObject({ status: 0, stdout: long, stderr: 'told\n' })
  })

  test('tells where it was typed and which variables matter', async () => {
    await serve(async (session) => {
      const { cwd, env, isTerminal, argv } = session.request
      session.stdout(JSON.stringify({ cwd, argv, isTerminal, no: env.get('NO_COLOR') }))
      return 0
    })
    const { stdout } = await run(['list'], { NO_COLOR: '1' }).ended
    expect(JSON.parse(stdout)).toEqual({
      cwd: process.cwd(),
      argv: ['list'],
      isTerminal: [false, false, false],
      no: '1',
    })
  })

  test('reads its input only when that is asked for', async () => {
    await serve(async (session) => {
      session.stdout(await session.readStdin())
      return 0
    })
    const { child, ended } = run(['create', '-'])
    child.stdin?.end('name = "demo"\n'.repeat(10_000))
    expect((await ended).stdout).toBe('name = "demo"\n'.repeat(10_000))
  })

  test('is told of the first interrupt and goes on until it has an exit code', async () => {
    const { interrupted, begun } = await servingUntilInterrupt()
    const { child, ended } = run([])
    await begun
    child.kill('SIGINT')
    await interrupted
    expect(await ended).toMatchObject({ status: 130, stdout: 'undone\n' })
  })

  test('ends at the second interrupt, whatever xcld does', async () => {
    let begin: () => void = () => undefined
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    let sawInterrupt: () => void = () => undefined
    const interrupted = new Promise<void>((resolve) => {
      sawInterrupt = resolve
    })
    await serve((session) => {
      session.signal.addEventListener('abort', () => sawInterrupt())
      begin()
      return new Promise(() => undefined)
    })
    const { child, ended } = run([])
    await begun
    child.kill('SIGINT')
    await interrupted
    child.kill('SIGINT')
    expect((await ended).status).toBe(130)
  })

  test('whose client is killed is interrupted', async () => {
    const { interrupted, begun } = await servingUntilInterrupt()
    const { child } = run([])
    await begun
    child.kill('SIGKILL')
    await interrupted
  })
})

describe('without a proper xcld', () => {
  test('the death of xcld is one sentence and exit code 1', async () => {
    await serveRaw(socketPath, (socket) => socket.once('data', () => socket.destroy()))
    expect(await run([]).ended).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(/^xcl: xcld has gone away[^\n]*\n$/),
    })
  })

  test.each([
    ['too long', [1, FRAME_MAX + 1]],
    ['of an unknown kind', [99, 0]],
    ['an exit without a code', [3, 0]],
    ['an attachment without a place', [5, 0]],
  ])('a frame %s is one sentence and exit code 1', async (_, header) => {
    await serveRaw(socketPath, (socket) => {
      const frame = Buffer.alloc(8)
      frame.writeUInt32LE(header[0] ?? 0, 0)
      frame.writeUInt32LE(header[1] ?? 0, 4)
      socket.write(frame)
    })
    const { status, stderr } = await run([]).ended
    expect(status).toBe(1)
    expect(stderr).toMatch(/^xcl: xcld sent a frame[^\n]*\n$/)
  })

  test('that can be started, the reason is told', async () => {
    expect(await run([]).ended).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^xcl: xcld is not running and cannot be started/),
    })
  })

  test('its own sentence and exit code are passed on when it does not start', async () => {
    const script = join(folder.path, 'xcld')
    writeFileSync(script, '#!/bin/sh\necho "xcld: no Xen here" >&2\nexit 5\n', { mode: 0o755 })
    expect(await run([], { XCLD: script }).ended).toEqual({
      status: 5,
      signal: null,
      stdout: '',
      stderr: 'xcld: no Xen here\n',
    })
  })

  test.each([
    [['--help']],
    [['help', 'create']],
    [['list', '-h']],
    [['--version']],
  ])('%j is answered by the program of xcld, which starts nothing', async (args) => {
    const script = join(folder.path, 'xcld')
    writeFileSync(script, '#!/bin/sh\necho "$@"\nexit 3\n', { mode: 0o755 })
    expect(await run(args, { XCLD: script }).ended).toMatchObject({
      status: 3,
      stdout: `--command-line-help ${args.join(' ')}\n`,
      stderr: '',
    })
  })

  test('that runs, help is its own', async () => {
    await serve(async (session) => session.request.argv.length)
    expect((await run(['help', 'create']).ended).status).toBe(2)
  })

  test('it is started with the path of the socket, and the command goes on', async () => {
    const marker = join(folder.path, 'started')
    const script = join(folder.path, 'xcld')
    writeFileSync(script, `#!/bin/sh\necho "$@" > ${marker}.new && mv ${marker}.new ${marker}\n`, {
      mode: 0o755,
    })
    const { ended } = run(['x'], { XCLD: script })
    await untilFile(marker)
    await serve(async () => 7)
    expect((await ended).status).toBe(7)
  })
})

describe('while npm start runs', () => {
  const DEFAULT = '/run/xen/xcld.sock'
  let simulated: string
  beforeEach(() => {
    simulated = join(folder.path, 'xcld.sock')
    socketPath = join(folder.path, 'other.sock')
    symlinkSync(folder.path, runLink)
  })
  afterEach(() => rmSync(runLink))

  /** Says where an xcld would be started. */
  function starter(): string {
    const script = join(folder.path, 'xcld')
    writeFileSync(script, '#!/bin/sh\necho "$@" >&2\nexit 9\n', { mode: 0o755 })
    return script
  }

  test('its xcld is found', async () => {
    await serve(async () => 3, simulated)
    expect(await run(['list'], { XCLD_SOCKET: '' }).ended).toMatchObject({ status: 3, stderr: '' })
  })

  test('whoever looks at a terminal is told whose xcld it is', async () => {
    await serve(async () => 0, simulated)
    let shown = ''
    const pty = aTerminal((bytes) => {
      shown += Buffer.from(bytes).toString()
    })
    const terminal = openSync(pty.slavePath, 'r+')
    closing.push(() => closeSync(terminal))
    const environment = { XCLD: '/nonexistent/xcld' }
    spawn(program, ['list'], { stdio: ['ignore', 'ignore', terminal], env: environment })
    await untilTrue(() => shown.endsWith('\n'))
    expect(shown).toMatch(/^xcl: on the simulated machine of `npm start`; [^\n]+\n$/)

    shown = ''
    const named = { ...environment, XCLD_SOCKET: simulated }
    const child = spawn(program, ['list'], { stdio: ['ignore', 'ignore', terminal], env: named })
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0)
    expect(shown).toBe('')
  })

  test('who names a socket gets that one', async () => {
    await serve(async () => 3, simulated)
    await serve(async () => 4)
    expect((await run(['list']).ended).status).toBe(4)
  })

  test('an xcld that has ended is not started again there', async () => {
    const left = await serveRaw(simulated, () => undefined)
    left.close()
    const { status, stderr } = await run(['list'], { XCLD_SOCKET: '', XCLD: starter() }).ended
    expect({ status, stderr }).toEqual({ status: 9, stderr: `--socket ${DEFAULT}\n` })
  })

  // Only root can be somebody else.
  const whereRoot = process.getuid?.() === 0 ? test : () => undefined
  whereRoot('an xcld of another user is not trusted', async () => {
    chmodSync(folder.path, 0o777)
    const source = `require('net').createServer((s) => s.resume()).listen(process.argv[1], () => {
      require('fs').chmodSync(process.argv[1], 0o777); console.log('listens') })`
    const stranger = spawn(process.execPath, ['-e', source, simulated], { uid: 65534, cwd: '/' })
    closing.push(() => stranger.kill())
    await new Promise((resolve) => stranger.stdout.once('data', resolve))
    const { stderr } = await run(['list'], { XCLD_SOCKET: '', XCLD: starter() }).ended
    expect(stderr).toBe(`--socket ${DEFAULT}\n`)
  })
})

describe('a console', () => {
  test('is copied both ways until it ends', async () => {
    const console = join(folder.path, 'consoled.sock')
    let request = ''
    await serveRaw(console, (socket) => {
      socket.on('data', (bytes) => {
        request += bytes
        if (/^attach 7 by=xcl:[0-9]+\n$/.test(request)) socket.write('ok 5\nboot\n')
        else if (request.endsWith('ping\n')) socket.end('pong\n')
      })
    })
    await serve((session) => attachTo(session, console))
    const { child, ended } = run(['console', 'demo'])
    child.stdin?.write('ping\n')
    expect(await ended).toMatchObject({ status: 0, stdout: 'boot\npong\n' })
    expect(request).toMatch(/^attach 7 by=xcl:[0-9]+\nping\n$/)
  })

  test('that consoled refuses fails with its sentence', async () => {
    const console = join(folder.path, 'consoled.sock')
    await serveRaw(console, (socket) => {
      socket.once('data', () => socket.end('error there is no domain 7\n'))
    })
    await serve((session) => attachTo(session, console))
    expect(await run([]).ended).toMatchObject({
      status: 4,
      stderr: 'there is no domain 7\n',
    })
  })

  test.each([
    ['error \n', /without saying why/],
    ['\n', /without saying why/],
    ['', /gave no answer/],
  ])('that consoled refuses with %j fails with a sentence of its own', async (answer, sentence) => {
    const console = join(folder.path, 'consoled.sock')
    await serveRaw(console, (socket) => {
      socket.once('data', () => socket.end(answer))
    })
    await serve((session) => attachTo(session, console))
    expect(await run([]).ended).toMatchObject({
      status: 4,
      stderr: expect.stringMatching(sentence),
    })
  })

  test('whose daemon does not answer is left by an interrupt', async () => {
    const console = join(folder.path, 'consoled.sock')
    let asked: () => void = () => undefined
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve
    })
    await serveRaw(console, (socket) => socket.once('data', asked))
    let isInterrupted = false
    await serve(async (session) => {
      const status = await attachTo(session, console)
      isInterrupted = session.signal.aborted
      return status
    })
    const { child, ended } = run([])
    await isAsked
    child.kill('SIGINT')
    expect(await ended).toMatchObject({ status: 4 })
    expect(isInterrupted).toBe(true)
  })

  test('is left by the escape character, and the terminal gets its mode back', async () => {
    const console = join(folder.path, 'consoled.sock')
    const typed: string[] = []
    await serveRaw(console, (socket) => {
      socket.once('data', () => {
        socket.write('ok 0\nready\n')
        socket.on('data', (bytes) => typed.push(bytes.toString()))
      })
    })
    await serve((session) => attachTo(session, console))
    const pty = aTerminal()
    const terminal = openSync(pty.slavePath, 'r+')
    execFileSync('stty', ['-F', pty.slavePath, 'sane'])
    const mode = (): string =>
      execFileSync('stty', ['-F', pty.slavePath, '-g'], { encoding: 'utf8' })
    const before = mode()

    const { stdout, ended } = run([], {}, terminal)
    await new Promise((resolve) => stdout.once('data', resolve))
    expect(mode()).not.toBe(before)
    type(pty, 'ls\x1d\n')
    await untilTrue(() => typed.join('') === 'ls\x1d\n')
    type(pty, '\x1d')

    expect(await ended).toMatchObject({ status: 0, stdout: 'ready\n\r\n' })
    expect(mode()).toBe(before)
    closeSync(terminal)
  })

  /** consoled that answers each viewer in turn; others only say what they ask. */
  async function consoles(...answers: readonly string[]): Promise<{
    readonly path: string
    readonly requests: string[]
    readonly sockets: Socket[]
  }> {
    const path = join(folder.path, 'consoled.sock')
    const requests: string[] = []
    const sockets: Socket[] = []
    await serveRaw(path, (socket) => {
      socket.on('data', (bytes) => {
        const isNew = !sockets.includes(socket)
        if (isNew) {
          sockets.push(socket)
          socket.write(answers[sockets.length - 1] ?? '')
        }
        requests.push(bytes.toString())
      })
    })
    return { path, requests, sockets }
  }

  test('that ends is told with its position, and the next one gets what was typed for it', async () => {
    const { path, requests, sockets } = await consoles('ok 4294967294\nboot', 'ok 2\nback')
    const ends: AttachmentEnd[] = []
    await serve(async (session) => {
      const first = await session.attach(aTarget(path))
      ends.push(await first.ended)
      const second = await session.attach({ ...aTarget(path), isContinued: true })
      ends.push(await second.ended)
      return second.position ?? 1
    })
    const { stdout, ended, child } = run(['console', 'demo'])
    await new Promise((resolve) => stdout.once('data', resolve))
    sockets[0]?.end()
    await untilTrue(() => sockets.length === 2)
    child.stdin?.write('typed')
    await untilTrue(() => requests.at(-1) === 'typed')
    sockets[1]?.end()
    expect(await ended).toMatchObject({ status: 2, stdout: 'bootback' })
    expect(ends).toEqual([
      { kind: 'ended', position: 2 },
      { kind: 'ended', position: 6 },
    ])
  })

  test.each([
    ['ok 5', { position: 5, leftOut: undefined }],
    ['ok 5 4294967296', { position: 5, leftOut: 4294967296 }],
    ['ok 5 ?', { position: 5, leftOut: 'some' }],
    ['ok 5 and something new that is longer than expected', { position: 5, leftOut: 'some' }],
  ])('says what is left out before it: %s', async (answer, begin) => {
    const { path, sockets } = await consoles(`${answer}\nboot`)
    let seen: unknown
    await serve(async (session) => {
      const { position, leftOut, ended } = await session.attach(aTarget(path))
      seen = { position, leftOut }
      await ended
      return 0
    })
    const { ended } = run(['console', 'demo'])
    await untilTrue(() => seen !== undefined)
    sockets[0]?.end()
    expect(await ended).toMatchObject({ status: 0, stdout: 'boot' })
    expect(seen).toEqual(begin)
  })

  test('goes on without xcld, and the next xcld is told of it', async () => {
    const { path, sockets } = await consoles('ok 100\nboot', 'ok 104\nback')
    const first = await CommandServer.listen(socketPath, (session) => attachTo(session, path))
    const { stdout, ended } = run(['console', 'demo'])
    await new Promise((resolve) => stdout.once('data', resolve))
    await Promise.all(first.interrupt())
    first.close()
    let argv: readonly string[] = []
    await serve(async (session) => {
      argv = session.request.argv
      return await attachTo(session, path)
    })
    sockets[0]?.end()
    await untilTrue(() => sockets.length === 2)
    sockets[1]?.end()
    expect(await ended).toMatchObject({ status: 0, stdout: 'bootback', stderr: '' })
    expect(argv).toEqual(['console-resume', 'the rest', '104'])
  })

  test('whose command was interrupted while it was attached has ended', async () => {
    const { path } = await consoles('ok 100\nboot')
    await serve(async (session) => {
      const attaching = session.attach(aTarget(path))
      session.interrupt()
      const { ended } = await attaching
      await ended
      return 7
    })
    expect((await run(['console', 'demo']).ended).status).toBe(7)
  })

  test('without xcld is left by an interrupt', async () => {
    const { path } = await consoles('ok 100\nboot')
    const first = await CommandServer.listen(socketPath, (session) => attachTo(session, path))
    const { stdout, ended, child } = run(['console', 'demo'])
    await new Promise((resolve) => stdout.once('data', resolve))
    await Promise.all(first.interrupt())
    first.close()
    child.kill('SIGINT')
    expect((await ended).status).toBe(130)
  })

  test('is told how large the terminal is, and when it changes', async () => {
    const { path, requests } = await consoles('ok 0\nready')
    await serve((session) => attachTo(session, path))
    const pty = aTerminal()
    const terminal = openSync(pty.slavePath, 'r+')
    const resize = (columns: number): void => {
      execFileSync('stty', ['-F', pty.slavePath, 'cols', String(columns), 'rows', '40'])
    }
    resize(100)
    const { child, stdout, ended } = run(['console', 'demo'], {}, terminal)
    await new Promise((resolve) => stdout.once('data', resolve))
    const tty = pty.slavePath.slice('/dev/'.length)
    expect(requests).toEqual([`attach 7 by=xcl:${child.pid},${tty} size=100x40\n`])
    resize(132)
    child.kill('SIGWINCH')
    await untilTrue(() => requests.includes('resize 7 132x40\n'))
    type(pty, '\x1d')
    expect((await ended).status).toBe(0)
    closeSync(terminal)
  })

  test('at a terminal device is opened by the client', async () => {
    const pty = aTerminal()
    await serve((session) => attachTo(session, pty.slavePath, 'tty'))
    const { child, stdout, ended } = run([])
    type(pty, 'hello\n')
    await new Promise((resolve) => stdout.once('data', resolve))
    child.kill('SIGINT')
    expect(await ended).toMatchObject({ status: 130, stdout: 'hello\n' })
  })
})

function aTerminal(ptyInput: (bytes: Uint8Array) => void = () => undefined): Pty {
  const pty = Pty.open({
    ptyInput,
    ptyWritable: () => undefined,
    ptyFailed: () => undefined,
  })
  closing.push(() => pty.close())
  return pty
}

function type(pty: Pty, text: string): void {
  const bytes = Buffer.from(text)
  pty.write(bytes, 0, bytes.length)
}

/** A command that waits until it is interrupted. */
async function servingUntilInterrupt(): Promise<{
  readonly begun: Promise<void>
  readonly interrupted: Promise<void>
}> {
  let begin: () => void = () => undefined
  let end: () => void = () => undefined
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  const interrupted = new Promise<void>((resolve) => {
    end = resolve
  })
  await serve(async (session) => {
    await new Promise<void>((resolve) => {
      session.signal.addEventListener('abort', () => resolve())
      begin()
    })
    session.stdout('undone\n')
    end()
    return 130
  })
  return { begun, interrupted }
}

async function attachTo(
  session: Session,
  path: string,
  kind: 'consoled' | 'tty' = 'consoled',
): Promise<number> {
  try {
    const { ended } = await session.attach(aTarget(path, kind))
    await ended
  } catch (error) {
    session.stderr(`${error instanceof Error ? error.message : error}\n`)
    return 4
  }
  return session.signal.aborted ? 130 : 0
}

function aTarget(path: string, kind: 'consoled' | 'tty' = 'consoled'): ConsoleTarget {
  const how = { isReadOnly: false, escapeCode: 0x1d, isContinued: false, resume: 'the rest' }
  return { kind, path, domid: 7, request: 'attach 7', ...how }
}

async function untilTrue(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

async function untilFile(path: string): Promise<void> {
  const name = path.slice(folder.path.length + 1)
  await untilTrue(() => readdirSync(folder.path).includes(name))
}
