import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { runCommandLine } from '../../../xcl/cli.ts'
import type { Terminal } from '../../../xcl/commands/command.ts'
import { stayAttached } from '../../../xcl/commands/console-stay.ts'
import type { AttachedGuest } from '../../../xcl/commands/console-target.ts'
import type { ConsoleTarget } from '../../../xcl/daemon/protocol.ts'
import type { Attachment, AttachmentEnd } from '../../../xcl/daemon/session.ts'
import { createDomain } from '../../../xcl/domain/create.ts'
import { destroyDomain } from '../../../xcl/domain/destroy.ts'
import { Refused } from '../../../xcl/output/errors.ts'
import { TestHost, until } from '../a-host.ts'

let host: TestHost
let consoled: Server | undefined
/** What the client was told to attach to, and how each ended. */
let targets: ConsoleTarget[]
let ends: ((end: AttachmentEnd) => void)[]
/** What the client answers next; else it attaches at the position that was asked for. */
let answers: (number | Refused)[]
/** What consoled says of each attachment; else that nothing is left out. */
let leftOuts: Attachment['leftOut'][]
let stderr: string
let exitCode: number | undefined
let leaving: AbortController

beforeEach(async () => {
  host = new TestHost()
  targets = []
  ends = []
  answers = []
  leftOuts = []
  stderr = ''
  exitCode = undefined
  leaving = new AbortController()
  await startConsoled()
})
afterEach(async () => {
  leaving.abort()
  consoled?.close()
  await host.stop()
})

/** That somebody answers is all xcld looks for: the client is the test's. */
async function startConsoled(): Promise<void> {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => {
    server.listen(join(host.folder.path, 'consoled.sock'), resolve)
  })
  consoled = server
}

async function stopConsoled(): Promise<void> {
  await new Promise((resolve) => consoled?.close(resolve))
}

const terminal: Terminal = {
  get request() {
    const isTerminal = [false, false, false] as const
    return { argv: [], cwd: '/', isTerminal, columns: 0, env: new Map() }
  },
  get signal() {
    return leaving.signal
  },
  receivedAtMs: 0,
  stdout: () => undefined,
  stderr: (text) => {
    stderr += text
  },
  print: async () => undefined,
  readStdin: async () => '',
  attach: async (target) => {
    targets.push(target)
    const answer = answers.shift() ?? Number(/ from=([0-9]+)/.exec(target.request)?.[1] ?? 0)
    if (answer instanceof Refused) throw answer
    return anAttachment(answer)
  },
}

function anAttachment(position: number): Attachment {
  const ended = new Promise<AttachmentEnd>((resolve) => ends.push(resolve))
  return { position, leftOut: leftOuts.shift(), ended }
}

/** Somebody is at the console of this guest. */
function stay(guest: AttachedGuest): void {
  const how = { escapeCode: 29, writes: 'shared' } as const
  void stayAttached(host.toolstack, terminal, guest, how, anAttachment(0)).then(
    (code) => {
      exitCode = code
    },
    (error: unknown) => {
      stderr += String(error)
      exitCode = -1
    },
  )
}

async function aGuest(): Promise<AttachedGuest> {
  const { domid, uuid, name } = await createDomain(host.toolstack, host.config())
  return { domid, uuid, name, isManaged: true }
}

/** Time passes while it looks again. */
async function passes(ms: number): Promise<void> {
  for (let at = 0; at < ms; at += 100) {
    host.nowMs += 100
    host.pass(100)
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('who is at a console', () => {
  test('and leaves is done', async () => {
    stay(await aGuest())
    ends[0]?.({ kind: 'left' })
    await until(() => exitCode === 0)
    expect(stderr).toBe('')
  })

  test('goes on at the same byte when consoled was restarted, and is told so', async () => {
    stay(await aGuest())
    await stopConsoled()
    ends[0]?.({ kind: 'ended', position: 4711 })
    await passes(500)
    expect([targets.length, stderr]).toEqual([0, ''])
    await startConsoled()
    await passes(100)
    await until(() => targets.length === 1)
    expect(targets[0]?.request).toMatch(/^attach 1 exact from=4711 uuid=[0-9a-f-]{36}$/)
    expect(targets[0]?.isContinued).toBe(true)
    await until(() => stderr !== '')
    expect(stderr).toBe('xcl: consoled is back, and so are you\n')
  })

  test('is told when consoled stays away', async () => {
    stay(await aGuest())
    await stopConsoled()
    ends[0]?.({ kind: 'ended', position: 4711 })
    await passes(3000)
    expect(stderr).toBe('xcl: consoled has gone away; waiting for it\n')
  })

  test.each([
    [5001, 'this terminal was too slow; 5001 bytes of output were left out'],
    ['some', 'output may have been left out'],
  ] as const)('is told what is left out: %s', async (leftOut, sentence) => {
    stay(await aGuest())
    leftOuts.push(leftOut)
    ends[0]?.({ kind: 'ended', position: 4294967295 })
    await until(() => stderr !== '')
    expect(stderr).toBe(`xcl: ${sentence}\n`)
  })

  test('comes back at once, but not again and again when its guest has it sent away', async () => {
    stay(await aGuest())
    for (let i = 0; i < 4; i++) {
      ends[i]?.({ kind: 'ended', position: i })
      if (i < 3) await until(() => targets.length === i + 1)
    }
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(targets.length).toBe(3)
    await passes(200)
    await until(() => targets.length === 4)
    expect(stderr).toBe('')
  })

  test('is asked for again as long as the console may be about to come, and no longer', async () => {
    stay(await aGuest())
    answers.push(...Array<Refused>(100).fill(new Refused('domain 1 has no console')))
    ends[0]?.({ kind: 'ended', position: 1 })
    await passes(4000)
    expect(exitCode).toBeUndefined()
    await passes(2000)
    await until(() => exitCode === -1)
    expect(stderr).toContain('domain 1 has no console')
  })

  test('of a guest that is destroyed is done', async () => {
    const guest = await aGuest()
    stay(guest)
    await destroyDomain(host.toolstack, guest.domid)
    ends[0]?.({ kind: 'ended', position: 1 })
    await until(() => exitCode === 0)
    expect(stderr).toBe('xcl: demo has ended\n')
  })

  test('of a guest that reboots is at the console of the next one, from its beginning', async () => {
    const guest = await aGuest()
    stay(guest)
    host.shutDown(guest.domid, 'reboot')
    await until(() => {
      host.pass(50)
      return host.hypervisor.calls.includes('unpause 2')
    })
    ends[0]?.({ kind: 'ended', position: 1 })
    await passes(200)
    await until(() => targets.length === 1)
    expect(targets[0]).toMatchObject({ domid: 2, isContinued: false })
    expect(targets[0]?.request).not.toContain('from=')
    expect(stderr).toBe('xcl: demo was rebooted and is domain 2 now\n')
  })

  test('through a terminal device that is closed under the guest is done', async () => {
    stay(await aGuest())
    ends[0]?.({ kind: 'ended', position: undefined })
    await passes(1500)
    await until(() => exitCode === 0)
    expect(stderr).toBe('xcl: the terminal of demo was closed by the console daemon\n')
  })

  test('of a guest of another toolstack waits a moment for its return', async () => {
    const guest = await aGuest()
    stay({ ...guest, isManaged: false })
    await destroyDomain(host.toolstack, guest.domid)
    ends[0]?.({ kind: 'ended', position: 1 })
    await passes(2000)
    expect(exitCode).toBeUndefined()
    await passes(2000)
    await until(() => exitCode === 0)
    expect(stderr).toBe('xcl: demo has ended\n')
  })
})

describe('a console whose xcld was replaced', () => {
  async function resumed(text: string, position: string): Promise<number> {
    const argv = ['console-resume', text, position]
    return await runCommandLine(host.toolstack, {
      ...terminal,
      request: { ...terminal.request, argv },
      signal: leaving.signal,
    })
  }

  test('goes on', async () => {
    const { domid, uuid, name } = await aGuest()
    const text = JSON.stringify({ domid, uuid, name, escapeCode: 29, writes: 'no' })
    const ended = resumed(text, '99')
    await until(() => targets.length === 1)
    expect(targets[0]?.request).toMatch(/^attach 1 ro exact from=99 /)
    ends[0]?.({ kind: 'left' })
    expect(await ended).toBe(0)
  })

  test.each([
    ['nonsense'],
    ['{"domid":1}'],
    ['{"domid":-1,"uuid":"","escapeCode":1,"writes":"no"}'],
  ])('is refused when it is %s', async (text) => {
    expect(await resumed(text, '1')).toBe(2)
    expect(stderr).toContain('cannot be gone on with')
  })

  test('ends when its guest has', async () => {
    const uuid = '00000000-0000-0000-0000-000000000001'
    const text = JSON.stringify({ domid: 77, uuid, escapeCode: 29, writes: 'no' })
    expect(await resumed(text, '1')).toBe(0)
    expect(stderr).toBe('xcl: domain 77 has ended\n')
  })
})
