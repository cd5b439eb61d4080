/** What a simulated machine bears from programs on it that break its protocol, or ask for nonsense. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { VIRQ_DOM_EXC } from '../../../native/hypervisor.ts'
import { aFolder } from '../../support/a-socket-peer.ts'
import { ContractRings, contractSpec, makeDomain } from '../contract/machine.ts'
import { TestMachine } from './a-machine.ts'

const CALLS = 20_000
/** A busy computer's compiler takes its time. */
const COMPILE_TIMEOUT_MS = 120_000

const folder = aFolder()
const client = join(folder.path, 'rude-client')
let machine: TestMachine
let rings: ContractRings

beforeAll(() => {
  const source = fileURLToPath(new URL('./machine-rude-client.cc', import.meta.url))
  const compiler = process.env.CXX ?? 'c++'
  execFileSync(compiler, ['-std=gnu++20', '-Wall', '-Wextra', '-Werror', source, '-o', client])
}, COMPILE_TIMEOUT_MS)
afterAll(() => folder.remove())

beforeEach(async () => {
  machine = await TestMachine.start({ xen: '4.21' })
  rings = new ContractRings(machine.xen, [VIRQ_DOM_EXC])
})
afterEach(async () => {
  rings.close()
  await machine.stop()
})

/** Runs the rude client and gives its lines. */
async function rude(...words: readonly string[]): Promise<string[]> {
  const child = spawn(client, [machine.simulator.socketPath, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', (bytes) => {
    said += bytes
  })
  const [code] = await once(child, 'close')
  expect(code).toBe(0)
  return said.trim().split('\n')
}

it('a message that makes no sense ends the handle that sent it', async () => {
  const [guest] = await machine.guests(rings, 1)
  if (guest === undefined) throw new Error('no guest')
  const lines = await rude('malformed')
  expect(lines.length).toBeGreaterThan(15)
  expect(lines.filter((line) => !line.endsWith(' closed'))).toEqual([])
  rings.type(guest.ids.console, 'ping\n')
  await rings.until(() => rings.printed.includes('pong'))
})

it('another number of texts than is asked for is refused, and the handle goes on', async () => {
  const lines = await rude('strings')
  expect(lines.length).toBe(6)
  expect(lines.filter((line) => !line.endsWith(` ${constants.errno.EINVAL}`))).toEqual([])
})

it('frames that no domain has are mapped by nobody', async () => {
  const [guest] = await machine.guests(rings, 1)
  const lines = await rude('frames', String(guest?.domid))
  expect(lines.map((line) => line.split(' ')[1])).toEqual(
    Array.from({ length: 4 }, () => String(constants.errno.EINVAL)),
  )
})

it('a handle that deafens the machine for itself deafens it for nobody else', async () => {
  const [guest] = await machine.guests(rings, 1)
  if (guest === undefined) throw new Error('no guest')
  const ping = async () => {
    rings.printed = ''
    rings.type(guest.ids.console, 'ping\n')
    await rings.until(() => rings.printed.includes('pong'))
  }
  const child = spawn(client, [machine.simulator.socketPath, 'deafen'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  await ping()
  child.stdin.end()
  expect(await once(child, 'close')).toEqual([0, null])
  await ping()
})

it("a handle cannot fire other handles' ports", async () => {
  for (let i = 0; i < 10; i++) {
    // They never run, so that nothing but the rude client fires.
    const { domid, ports } = await makeDomain(machine.xen, contractSpec('pvh'), machine.kernel)
    rings.attach(domid, ports)
  }
  const { events, portsHeld } = await machine.simulator.stats()
  expect(portsHeld).toBeGreaterThan(20)
  expect(await rude('fire')).toEqual(['taken'])
  expect(await machine.simulator.stats()).toMatchObject({ events })
})

it.each([
  1, 2, 3,
])('nonsense harms nobody else, and nothing of it stays (seed %i)', async (seed) => {
  const [guest] = await machine.guests(rings, 1)
  if (guest === undefined) throw new Error('no guest')
  const before = await machine.simulator.stats()
  const [summary = ''] = await rude('random', String(seed), String(CALLS), String(guest.domid))
  const [, answered, , refused] = summary.split(' ').map(Number)
  expect(Math.min(answered ?? 0, refused ?? 0)).toBeGreaterThan(CALLS / 20)

  rings.printed = ''
  rings.type(guest.ids.console, 'ping\n')
  await rings.until(() => rings.printed.includes('pong'))
  for (const { domid } of machine.xen.domains.list(1)) {
    if (domid !== guest.domid) await machine.xen.domains.destroy(domid)
  }
  const { domains, freeMemoryKiB, pages, portsHeld, pagesHeld } = await machine.simulator.stats()
  expect({ domains, freeMemoryKiB, pages, portsHeld, pagesHeld }).toEqual({
    domains: before.domains,
    freeMemoryKiB: before.freeMemoryKiB,
    pages: before.pages,
    portsHeld: before.portsHeld,
    pagesHeld: before.pagesHeld,
  })
})
