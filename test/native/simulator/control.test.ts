import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { Simulator } from '../../../native/simulator/control.ts'
import { aFolder } from '../../support/a-socket-peer.ts'
import { ContractRings, contractSpec } from '../contract/machine.ts'
import { TestMachine } from './a-machine.ts'

let machine: TestMachine | undefined
afterEach(async () => {
  await machine?.stop()
  machine = undefined
})

it('a machine that cannot come up says why', async () => {
  const runDir = '/no/such/folder'
  await expect(Simulator.start({ runDir, xen: '4.17' })).rejects.toThrow(
    'the simulated machine did not start (exit code 1): xcl-simulator: cannot listen at /no/such/folder/simulator.sock: ENOENT',
  )
})

it('two machines do not share a folder', async () => {
  machine = await TestMachine.start()
  const runDir = join(machine.simulator.socketPath, '..')
  await expect(Simulator.start({ runDir, xen: '4.17' })).rejects.toThrow('EADDRINUSE')
  expect(machine.xen.domains.host().version).toBe('4.17.0-simulated')
})

it('stops when it is told to, leaves nothing, and may be told again', async () => {
  const folder = aFolder()
  const logFile = join(folder.path, 'xen.log')
  const simulator = await Simulator.start({ runDir: folder.path, xen: '4.21', logFile })
  expect(await simulator.stop()).toEqual({ code: 0, signal: null, said: '' })
  expect(await simulator.stop()).toEqual({ code: 0, signal: null, said: '' })
  expect(existsSync(simulator.socketPath)).toBe(false)
  expect(existsSync(join(folder.path, 'control.sock'))).toBe(false)
  expect(readFileSync(logFile, 'utf8')).toMatch(/Xen version 4\.21\.0-simulated/)
  await expect(simulator.stats()).rejects.toThrow('the simulated machine has gone')
  folder.remove()
})

it('starts again in the folder of one that was killed', async () => {
  const folder = aFolder()
  const first = await Simulator.start({ runDir: folder.path, xen: '4.17' })
  process.kill(first.pid, 'SIGKILL')
  expect(await first.ended).toMatchObject({ signal: 'SIGKILL' })
  const second = await Simulator.start({ runDir: folder.path, xen: '4.17' })
  expect(await second.stop()).toEqual({ code: 0, signal: null, said: '' })
  folder.remove()
})

it('tells what happens to those who listen, and counts it', async () => {
  machine = await TestMachine.start()
  const news: string[][] = []
  let heard = () => {}
  await machine.simulator.onNews((words) => {
    news.push(words)
    heard()
  })
  const until = async (word: string) => {
    while (!news.some(([first]) => first === word)) {
      await new Promise<void>((resolve) => {
        heard = resolve
      })
    }
  }
  const rings = new ContractRings(machine.xen, [])
  const [guest] = await machine.guests(rings, 1)
  await until('ready')
  expect(await machine.simulator.stats()).toMatchObject({ domains: 2, guests: 1, ready: 1 })
  expect(await machine.simulator.die({ count: 1, seed: 1, how: 'crash' })).toEqual([guest?.domid])
  await until('shutdown')
  expect(await machine.simulator.stats()).toMatchObject({ domains: 2, guests: 0, crashed: 1 })
  rings.close()
  if (guest !== undefined) await machine.xen.domains.destroy(guest.domid)
  await until('gone')
  const domid = String(guest?.domid)
  expect(news.map((words) => words.slice(0, 2))).toEqual([
    ['ready', domid],
    ['shutdown', domid],
    ['gone', domid],
  ])
  expect(news[0]?.[2]).toBe('contract')
  for (const words of news) expect(words.at(-1)).toMatch(/^\d+$/)
})

it('tells each listener once, also those who asked at the same time', async () => {
  machine = await TestMachine.start()
  const heard: string[] = []
  let tell = () => {}
  const told = new Promise<void>((resolve) => {
    tell = resolve
  })
  await Promise.all(
    ['one', 'other'].map((name) =>
      machine?.simulator.onNews(([what, domid]) => {
        heard.push(`${name} ${what} ${domid}`)
        if (heard.at(-1) === 'other gone 2') tell()
      }),
    ),
  )
  for (const expected of [1, 2]) {
    const domid = await machine.xen.builder.create(contractSpec('pv'))
    expect(domid).toBe(expected)
    await machine.xen.domains.destroy(domid)
  }
  await told
  expect(heard).toEqual(['one gone 1', 'other gone 1', 'one gone 2', 'other gone 2'])
})

it('leaves alone what is in its way and is no socket of a machine that is no more', async () => {
  const folder = aFolder()
  const start = () => Simulator.start({ runDir: folder.path, xen: '4.17' })
  const path = join(folder.path, 'control.sock')

  writeFileSync(path, 'precious')
  await expect(start()).rejects.toThrow(`cannot listen at ${path}, which is no socket: EEXIST`)
  expect(readFileSync(path, 'utf8')).toBe('precious')
  rmSync(path)

  // The machine's socket is of another kind: nobody can tell by connecting whether it is served.
  const other = join(folder.path, 'simulator.sock')
  const server = createServer().listen(other)
  await once(server, 'listening')
  await expect(start()).rejects.toThrow(`cannot listen at ${other}: EADDRINUSE`)
  expect(existsSync(other)).toBe(true)
  server.close()
  await once(server, 'close')
  await (await start()).stop()
  folder.remove()
})

it('a machine that cannot be commanded is not left behind', async () => {
  const folder = aFolder()
  const pidFile = join(folder.path, 'pid')
  const program = join(folder.path, 'mute')
  writeFileSync(program, `#!/bin/sh\necho $$ > ${pidFile}\necho ready\nexec sleep 1000\n`)
  chmodSync(program, 0o700)
  vi.stubEnv('XCL_SIMULATOR_BINARY', program)
  try {
    const starting = Simulator.start({ runDir: folder.path, xen: '4.17' })
    await expect(starting).rejects.toThrow('ENOENT')
  } finally {
    vi.unstubAllEnvs()
  }
  const pid = Number(readFileSync(pidFile, 'utf8'))
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
  folder.remove()
})

it('refuses in sentences', async () => {
  machine = await TestMachine.start()
  const { simulator } = machine
  await expect(simulator.command('fly')).rejects.toThrow(/fly/)
  await expect(simulator.die({ count: 1, seed: 1, how: 'crash' })).rejects.toThrow('0 guests')
  await expect(async () => simulator.command('two\nlines')).rejects.toThrow('a command is one line')
})

it('gives domids again only after all others', async () => {
  machine = await TestMachine.start({ firstDomid: 32750 })
  const { builder, domains } = machine.xen
  const create = () => builder.create(contractSpec('pv'))
  expect([await create(), await create(), await create()]).toEqual([32750, 32751, 1])
  for (const { domid } of domains.list(1)) await domains.destroy(domid)
  expect([await create(), await create()]).toEqual([2, 3])
})

it('has as much memory as it was given', async () => {
  machine = await TestMachine.start({ memoryMiB: 512 })
  expect(machine.xen.domains.host().totalMemoryKiB).toBe(512 * 1024)
})
