/**
 * consoled as a process on the simulated machine, and native guests that wish it ill, beside some that print
 * numbered lines: every byte of those is in their logs, in order, and nothing else is.
 */
import { readFileSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { crc32 } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { attachRequest } from '../../consoled/attach/client.ts'
import type { Domid } from '../../native/hypervisor.ts'
import type { ProgramProcess } from '../support/a-program.ts'
import { aFolder } from '../support/a-socket-peer.ts'
import { type BesiegingGuest, ConsoleSiege, loggedBytes } from './a-console-siege.ts'
import { PageFlipper } from './a-page-flipper.ts'

// Programs are started from their sources, for each test.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const PRINTERS = 20
const ATTACKERS = 50
const LINES = 500
/** Bytes into the page: xen/include/public/io/console.h. */
const INDICES = [3072, 3076, 3080, 3084]

const folder = aFolder()
let flipper: PageFlipper
beforeAll(() => {
  flipper = new PageFlipper(folder.path)
})
afterAll(() => folder.remove())

let siege: ConsoleSiege
let consoled: ProgramProcess
let printers: readonly BesiegingGuest[]
beforeEach(async () => {
  siege = await ConsoleSiege.begin()
  consoled = await siege.startConsoled()
  printers = await some('print', PRINTERS)
})
afterEach(() => siege.stop())

function some(script: string, count: number): Promise<BesiegingGuest[]> {
  return Promise.all(Array.from({ length: count }, () => siege.guest(script)))
}

/** Settles when it is so; the machine is asked meanwhile. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await siege.simulator.printing()
}

/** The printers print, and when all is taken it is all in their logs. @param meanwhile what happens then */
async function printersAreLogged(meanwhile: () => Promise<void>): Promise<void> {
  const before = printers.map(loggedBytes)
  await siege.simulator.print(LINES)
  await meanwhile()
  for (;;) {
    const { left, unread } = await siege.simulator.printing()
    if (left === 0 && unread === 0) break
  }
  const printed = new Map((await siege.simulator.printed()).map((one) => [one.domid, one]))
  for (const [i, { domid, logPath }] of printers.entries()) {
    const logged = readFileSync(logPath).subarray(before[i])
    const { lines, bytes, crc32: sum } = printed.get(domid) ?? {}
    expect([LINES, logged.length, crc32(logged)]).toEqual([lines, bytes, sum])
  }
}

/** Attaches, and has seen something. */
async function attached({ domid }: BesiegingGuest): Promise<Viewer> {
  const viewer = new Viewer(siege.attachPath, domid)
  await until(() => viewer.seen.length > 0)
  return viewer
}

class Viewer {
  readonly ended: Promise<void>
  readonly socket: Socket
  seen = ''

  constructor(path: string, domid: Domid) {
    this.socket = createConnection(path)
    this.socket.write(attachRequest(domid, { writes: 'shared', tailBytes: 0 }))
    this.socket.on('data', (bytes: Buffer) => {
      this.seen += bytes.toString('latin1')
    })
    this.ended = new Promise((resolve) => this.socket.on('close', () => resolve()))
  }
}

test('console indices that cannot be cost no other guest a byte, and consoled nothing', async () => {
  let attackers: readonly BesiegingGuest[] = []
  await printersAreLogged(async () => {
    attackers = await some('bad-console-index', ATTACKERS)
    await siege.news.saidTimes(/^ready /, ATTACKERS)
  })
  // What they said before is in their logs, and nothing that was never said.
  await until(() => attackers.every((attacker) => loggedBytes(attacker) > 0))
  await printersAreLogged(async () => {
    const dead = attackers.map(({ domid }) => siege.xen.domains.destroy(domid))
    await Promise.all(dead)
    await siege.news.saidTimes(/^gone /, ATTACKERS)
  })
  for (const { logPath } of attackers) {
    expect(readFileSync(logPath, 'latin1')).toMatch(/^READY pvh domid=\d+ [^\r\n]*\r\n$/)
  }
  expect(consoled.child.exitCode).toBeNull()
})

test.each([
  'vanish',
  'crash',
])('floods that die (%s) while somebody types into them end who is attached, with their last words', async (how) => {
  const floods = await some('flood-console', ATTACKERS)
  await until(() => floods.every((flood) => loggedBytes(flood) > 2048))
  const viewers = await Promise.all(floods.map((flood) => attached(flood)))
  for (const { socket } of viewers) socket.write('t'.repeat(5000))
  await printersAreLogged(async () => {
    for (const { domid } of floods) await siege.simulator.command(`die domid=${domid} how=${how}`)
    if (how === 'crash')
      await Promise.all(floods.map(({ domid }) => siege.xen.domains.destroy(domid)))
    await Promise.all(viewers.map(({ ended }) => ended))
    await siege.news.saidTimes(/^gone /, ATTACKERS)
  })
  for (const [i, { logPath }] of floods.entries()) {
    const [, ...seen] = (viewers[i]?.seen ?? '').split('\n')
    const text = seen.join('\n')
    expect(text.length).toBeGreaterThan(0)
    expect(readFileSync(logPath, 'latin1').endsWith(text)).toBe(true)
  }
  expect(consoled.child.exitCode).toBeNull()
})

describe('indices that another processor changes all the while', () => {
  test.each([
    ['each of which may be', 0, 2048],
    ['one of which cannot be', 100, 0x7000_0000],
    ['about to begin anew', 0xffff_ffff, 1000],
  ])('between two values, %s, cost no other guest a byte, and consoled nothing', async (_what, first, second) => {
    const attacker = await siege.guest('hello')
    await until(() => loggedBytes(attacker) > 0)
    const { pid } = siege.simulator
    const mark = readFileSync(attacker.logPath, 'latin1')
    const values = [first, second] as const
    const flipping = await flipper.flip({ pid, mark, values, offsets: INDICES })
    const viewer = await attached(attacker)
    viewer.socket.write('t'.repeat(5000))
    // It prints as long as it finds its ring sound, and so tells consoled of what stands in its page.
    await siege.simulator.work(1000)
    await printersAreLogged(async () => {})
    await printersAreLogged(() => siege.simulator.stopWork())
    expect(await flipping.stop()).toEqual([0, null])
    await siege.xen.domains.destroy(attacker.domid)
    await viewer.ended
    await siege.news.said(new RegExp(`^gone ${attacker.domid} `))
    await printersAreLogged(async () => {})
    expect(consoled.child.exitCode).toBeNull()
  })
})
