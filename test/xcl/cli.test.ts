import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { COMMANDS, commandLineHelp, findCommand, runCommandLine } from '../../xcl/cli.ts'
import type { Terminal } from '../../xcl/commands/command.ts'
import { createDomain } from '../../xcl/domain/create.ts'
import { Refused, UsageError } from '../../xcl/output/errors.ts'
import { aDisk, aVif, TestHost, until } from './a-host.ts'

let host: TestHost

beforeEach(() => {
  host = new TestHost()
})
afterEach(() => host.stop())

interface Outcome {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs what is typed, in the host's folder. */
async function typed(...argv: string[]): Promise<Outcome> {
  return await typedInto('', ...argv)
}

async function typedInto(stdin: string, ...argv: string[]): Promise<Outcome> {
  return await run({ readStdin: async () => stdin }, ...argv)
}

/** @param own what the terminal of this command does */
async function run(own: Partial<Terminal>, ...argv: string[]): Promise<Outcome> {
  let stdout = ''
  let stderr = ''
  const session: Terminal = {
    request: {
      argv,
      cwd: host.folder.path,
      isTerminal: [false, false, false],
      columns: 0,
      env: new Map(),
    },
    signal: new AbortController().signal,
    receivedAtMs: host.nowMs,
    stdout: (text) => {
      stdout += text
    },
    stderr: (text) => {
      stderr += text
    },
    print: async (bytes) => {
      stdout += Buffer.from(bytes).toString('latin1')
    },
    readStdin: async () => '',
    attach: () => Promise.reject(new Error('no terminal')),
    ...own,
  }
  const status = await runCommandLine(host.toolstack, session)
  return { status, stdout, stderr }
}

function aFile(name: string, text: string): void {
  mkdirSync(host.folder.path, { recursive: true })
  writeFileSync(join(host.folder.path, 'guest.elf'), '')
  writeFileSync(join(host.folder.path, name), text)
}

describe('what is typed', () => {
  test('can be a command by its name or a beginning of it', () => {
    expect(findCommand('list').name).toBe('list')
    expect(findCommand('cre').name).toBe('create')
    expect(() => findCommand('d')).toThrow(/may be destroy or domid or domname/)
  })

  test('and is no command is answered with the nearest one', async () => {
    expect(await typed('crate')).toEqual({
      status: 2,
      stdout: '',
      stderr: 'xcl: there is no command "crate"\n  hint: did you mean create?\n',
    })
    expect((await typed('frobnicate')).stderr).toContain('xcl --help')
  })

  test.each([
    [['--frob'], 'unknown option --frob'],
    [['list', '--frob'], "list: unknown option '--frob'"],
    [['destroy'], "destroy: missing required argument 'domain'"],
    [['domid', 'a', 'b'], 'domid: too many arguments'],
    [['list', '--format', 'xml'], 'there is no format "xml"'],
    [['create'], 'create needs a configuration file'],
    [['shutdown'], 'shutdown needs domains, or --all'],
    [['console', '-e', 'abc', '0'], '"abc" is no escape character'],
  ])('%j is wrong usage', async (argv, sentence) => {
    const { status, stderr } = await typed(...argv)
    expect(status).toBe(2)
    expect(stderr).toContain(sentence)
  })

  test('without a command is answered with help', async () => {
    expect(await typed()).toMatchObject({ status: 2, stderr: expect.stringContaining('create') })
    expect(await typed('--help')).toMatchObject({ status: 0, stdout: expect.stringMatching('xcl') })
    expect((await typed('--version')).stdout).toMatch(/^xcl /)
  })

  test('is never a command for programs when it is shortened, nor in the help', async () => {
    expect(findCommand('con').name).toBe('console')
    expect(findCommand('console-resume').isHidden).toBe(true)
    expect((await typed('--help')).stdout).not.toContain('console-resume')
  })

  test.each(
    COMMANDS.map(({ name }) => name),
  )('%s --help has options and examples', async (name) => {
    const { status, stdout } = await typed(name, '--help')
    expect(status).toBe(0)
    expect(stdout).toContain(`Usage: xcl ${name}`)
    expect(stdout).toContain('Examples:')
    expect((await typed('help', name)).stdout).toBe(stdout)
  })
})

describe('create', () => {
  const CONFIG = 'name = "demo"\nkernel = "guest.elf"\nmemory = 1\n'

  test('reads files from where the caller is, and says what it made', async () => {
    aFile('demo.cfg', CONFIG)
    expect(await typed('create', 'demo.cfg')).toEqual({
      status: 0,
      stdout: 'created demo (domid 1)\n',
      stderr: '',
    })
    expect((await typed('domid', 'demo')).stdout).toBe('1\n')
    expect((await typed('domname', '1')).stdout).toBe('demo\n')
    // dom0 has its name, too, though nobody has written it to this store.
    expect((await typed('list', '--format', 'name')).stdout).toBe('Domain-0\ndemo\n')
  })

  test('says nothing when told to be quiet', async () => {
    aFile('demo.cfg', CONFIG)
    expect(await typed('create', '-q', 'demo.cfg')).toMatchObject({ status: 0, stdout: '' })
  })

  test('takes settings from the command line', async () => {
    aFile('demo.cfg', CONFIG)
    const { stdout } = await typed('create', '-n', 'demo.cfg', 'memory=7', 'name="other"')
    expect(JSON.parse(stdout)).toMatchObject({ name: 'other', memoryKiB: 7168 })
    expect([...host.daemon.domains.keys()]).toEqual([0])
  })

  test('takes a configuration from standard input, or from nowhere but the command line', async () => {
    aFile('x', '')
    const read = await typedInto(CONFIG, 'create', '-n', '-')
    expect(JSON.parse(read.stdout)).toMatchObject({ name: 'demo' })
    const bare = await typed('create', '-n', '/dev/null', 'name="demo"', 'kernel="guest.elf"')
    expect(JSON.parse(bare.stdout)).toMatchObject({ name: 'demo' })
  })

  test('tells how long each step took', async () => {
    aFile('demo.cfg', CONFIG)
    const { stdout } = await typed('create', '--timing', 'demo.cfg')
    expect(Object.keys(JSON.parse(stdout).steps)).toContain('unpause')
  })

  test('of several makes those that can be made', async () => {
    aFile('a.cfg', CONFIG.replace('demo', 'a'))
    aFile('b.cfg', CONFIG.replace('demo', 'b'))
    host.hypervisor.before.set('build', () => {
      if (host.toolstack.names.creationOf('b') === undefined) return
      host.hypervisor.before.delete('build')
      throw new Error('told to fail')
    })
    const { status, stdout, stderr } = await typed('create', 'a.cfg', 'b.cfg')
    expect(status).toBe(8)
    expect(stdout).toMatch(/^created [ab] \(domid [12]\)\n$/)
    expect(stderr).toBe('xcl: told to fail\nxcl: 1 of 2 failed\n')
  })

  test('of a wrong file shows the place', async () => {
    aFile('demo.cfg', `${CONFIG}memory = \n`)
    const { status, stderr } = await typed('create', 'demo.cfg')
    expect(status).toBe(3)
    expect(stderr).toMatch(/^xcl: demo.cfg:4:\d+: expected .*\n {2}memory = \n +\^\n$/)
    expect((await typed('create', 'missing.cfg')).status).toBe(3)
  })

  test('of a taken name, and without memory, have exit codes of their own', async () => {
    aFile('demo.cfg', CONFIG)
    await typed('create', 'demo.cfg')
    expect((await typed('create', 'demo.cfg')).status).toBe(4)
    expect(await typed('create', 'demo.cfg', 'name="b"', 'memory=4000')).toEqual({
      status: 6,
      stdout: '',
      stderr: 'xcl: b is to have 4000 MiB of memory, and Xen has 2048 MiB left\n',
    })
    host.hypervisor.failing.set('build', 'ENOMEM')
    expect((await typed('create', 'demo.cfg', 'name="b"')).status).toBe(6)
  })
})

describe('a domain', () => {
  test('is found by name, number and uuid', async () => {
    const { uuid } = await createDomain(host.toolstack, host.config())
    for (const domain of ['demo', '1', uuid]) {
      expect(JSON.parse((await typed('list', '--json', domain)).stdout)).toMatchObject([
        { name: 'demo', domid: 1, uuid },
      ])
    }
  })

  test('is listed with its devices, if xcl created it', async () => {
    await host.hypervisor.dom0.run(await host.daemon.connect())
    const vifs = [aVif({ mac: '00:16:3e:00:00:01' })]
    const { domid } = await createDomain(host.toolstack, host.config({ vifs, disks: [aDisk()] }))
    expect(JSON.parse((await typed('list', '--json')).stdout)).toMatchObject([
      { domid: 0, devices: null },
      {
        domid,
        devices: {
          vifs: [{ devid: 0, mac: '00:16:3e:00:00:01', bridge: 'xenbr0' }],
          disks: [{ vdev: 'xvda', target: '/img/a', isReadOnly: false }],
        },
      },
    ])
  })

  test.each([
    'nobody',
    '77',
    '99999',
    '6a1ec31f-2ad1-4d23-9f9b-3a2f6d1f9c01',
  ])('called %s is not there', async (domain) => {
    expect(await typed('destroy', domain)).toMatchObject({
      status: 4,
      stderr: expect.stringContaining(`no domain ${domain}`),
    })
  })

  test('is paused, unpaused and destroyed', async () => {
    await createDomain(host.toolstack, host.config())
    await typed('pause', 'demo')
    expect(host.daemon.domains.get(1)?.isPaused).toBe(true)
    await typed('unpause', 'demo')
    expect(host.daemon.domains.get(1)?.isPaused).toBe(false)
    expect(await typed('destroy', 'demo')).toEqual({ status: 0, stdout: '', stderr: '' })
    expect(host.daemon.domains.has(1)).toBe(false)
  })

  test('number 0 is not touched', async () => {
    for (const command of ['destroy', 'pause', 'shutdown', 'reboot', 'console']) {
      expect(await typed(command, '0')).toMatchObject({ status: 1 })
    }
    expect(host.hypervisor.calls.filter((call) => call !== 'list')).toEqual([])
  })

  test('that is missing among several is told, and the others are done', async () => {
    await createDomain(host.toolstack, host.config())
    expect(await typed('destroy', 'nobody', 'demo')).toMatchObject({ status: 8 })
    expect(host.daemon.domains.has(1)).toBe(false)
  })
})

describe('create --console', () => {
  const CONFIG = 'name = "demo"\nkernel = "guest.elf"\nmemory = 1\n'

  /** As consoled's socket: that somebody answers is all xcld looks for. */
  async function answering(): Promise<Server> {
    const server = createServer((socket) => socket.destroy())
    await new Promise<void>((resolve) => {
      server.listen(join(host.folder.path, 'consoled.sock'), resolve)
    })
    return server
  }

  test('without a console daemon gives up after one time, and leaves nothing', async () => {
    aFile('demo.cfg', CONFIG)
    await host.toolstack.store.client()
    const creation = typed('create', '-c', 'demo.cfg')
    let rounds = 0
    let outcome: Outcome | undefined
    void creation.then((ended) => {
      outcome = ended
    })
    const store = await host.daemon.connect()
    // The terminal is waited for from here on.
    await until(() => host.hypervisor.calls.includes('build 1'))
    while (outcome === undefined && rounds < 20) {
      for (let i = 0; i < 10; i++) await store.read('/')
      host.pass()
      rounds++
    }
    expect(outcome).toMatchObject({ status: 1, stderr: expect.stringContaining('no console') })
    expect(host.daemon.domains.has(1)).toBe(false)
  })

  test('asks again only as long as consoled does not know the domain', async () => {
    aFile('demo.cfg', CONFIG)
    const server = await answering()
    const answers = ['there is no domain 1', 'there is no domain 1', 'domain 1 has a viewer']
    let asked = 0
    const attach = async (): Promise<never> => {
      throw new Refused(answers[asked++] ?? 'asked too often')
    }
    let outcome: Outcome | undefined
    void run({ attach }, 'create', '-c', 'demo.cfg').then((ended) => {
      outcome = ended
    })
    // Only the pauses pass, not the time for all of it.
    await until(() => {
      host.pass(100)
      return outcome !== undefined
    })
    server.close()
    expect(asked).toBe(3)
    expect(outcome).toMatchObject({ status: 1, stderr: 'xcl: domain 1 has a viewer\n' })
  })

  test('is interrupted while it waits', async () => {
    aFile('demo.cfg', CONFIG)
    const server = await answering()
    const interrupt = new AbortController()
    const attach = (): Promise<never> => {
      interrupt.abort()
      return new Promise(() => undefined)
    }
    const { signal } = interrupt
    expect(await run({ attach, signal }, 'create', '-c', 'demo.cfg')).toMatchObject({ status: 130 })
    server.close()
    expect([...host.daemon.domains.keys()]).toEqual([0])
  })
})

describe('several domains', () => {
  test('of which all fail alike have the exit code of that', async () => {
    const { status, stdout, stderr } = await typed('destroy', '--json', 'nobody', 'noone')
    expect(status).toBe(4)
    expect(JSON.parse(stdout)).toEqual({
      error: {
        code: 'batch',
        message: '2 of 2 failed',
        failures: [
          { domain: 'nobody', code: 'no-such-domain', message: 'no domain nobody' },
          { domain: 'noone', code: 'no-such-domain', message: 'no domain noone' },
        ],
      },
    })
    expect(stderr).toContain('no domain nobody')
  })

  test('are not begun after an interrupt', async () => {
    await createDomain(host.toolstack, host.config({ name: 'a' }))
    await createDomain(host.toolstack, host.config({ name: 'b' }))
    const interrupt = new AbortController()
    interrupt.abort()
    const { signal } = interrupt
    expect(await run({ signal }, 'destroy', 'a', 'b')).toMatchObject({ status: 130 })
    expect([...host.daemon.domains.keys()]).toEqual([0, 1, 2])
  })

  test('of which one is interrupted have the exit code 130', async () => {
    aFile('a.cfg', 'name = "a"\nkernel = "guest.elf"\nmemory = 1\n')
    aFile('b.cfg', 'name = "b"\nkernel = "guest.elf"\nmemory = 1\n')
    const interrupt = new AbortController()
    host.hypervisor.before.set('build', () => interrupt.abort())
    const { signal } = interrupt
    expect(await run({ signal }, 'create', 'a.cfg', 'b.cfg')).toMatchObject({ status: 130 })
    expect([...host.daemon.domains.keys()]).toEqual([0])
  })

  test('can be given by the uuid of a creation on its way', async () => {
    const uuid = '6a1ec31f-2ad1-4d23-9f9b-3a2f6d1f9c01'
    let destroyed: Promise<Outcome> | undefined
    host.hypervisor.before.set('build', () => {
      destroyed = typed('destroy', uuid)
    })
    await expect(createDomain(host.toolstack, host.config({ uuid }))).rejects.toThrow(/destroyed/)
    expect(await destroyed).toMatchObject({ status: 0 })
    expect([...host.daemon.domains.keys()]).toEqual([0])
  })
})

describe('shutdown --wait', () => {
  test('that is interrupted leaves nobody waiting', async () => {
    await createDomain(host.toolstack, host.config())
    const interrupt = new AbortController()
    const store = await host.daemon.connect()
    await store.watch('/local/domain/1/control/shutdown', () => {
      void store.read('/local/domain/1/control/shutdown').then((value) => {
        if (value === 'poweroff') interrupt.abort()
      })
    })
    const { signal } = interrupt
    expect(await run({ signal }, 'shutdown', '-w', 'demo')).toMatchObject({ status: 130 })
    expect(host.toolstack.lifeCycle.waiting).toBe(0)
  })
})

describe('help', () => {
  test('is printed without any toolstack', () => {
    expect(commandLineHelp(['--help'])).toContain('Usage: xcl COMMAND')
    expect(commandLineHelp(['--version'])).toMatch(/^xcl /)
    expect(commandLineHelp(['help', 'create'])).toBe(commandLineHelp(['create', '--help']))
    expect(() => commandLineHelp(['list'])).toThrow(UsageError)
  })
})

describe('errors', () => {
  test('are JSON, too, when JSON was asked for', async () => {
    const { status, stdout, stderr } = await typed('list', '--json', 'nobody')
    expect(status).toBe(4)
    expect(JSON.parse(stdout)).toEqual({
      error: { code: 'no-such-domain', message: 'no domain nobody' },
    })
    expect(stderr).toContain('no domain nobody')
  })

  test('without a store are one sentence', async () => {
    const lonely = new TestHost({ storeSocket: '/nonexistent/socket' })
    const here = host
    host = lonely
    const { status, stderr } = await typed('list')
    host = here
    lonely.stop()
    expect(status).toBe(1)
    expect(stderr).toBe(
      'xcl: the XenStore daemon does not answer at /nonexistent/socket (ENOENT)\n  hint: is lixs (or xenstored) running?\n',
    )
  })
})
