/** Dom0's kernel, whose back ends live longer than any daemon of the store. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Domid } from '../../../native/hypervisor.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'
import { contractSpec, makeDomain, refuses } from '../contract/machine.ts'
import { TestMachine } from './a-machine.ts'
import { SmallStore } from './a-small-store.ts'

const SOON = { timeout: 15_000, interval: 20 }

let machine: TestMachine
let store: SmallStore
beforeEach(async () => {
  machine = await TestMachine.start()
  store = new SmallStore(machine.xen)
})
afterEach(async () => {
  store.close()
  await machine.stop()
})

/** A guest with a network card, as a toolstack would write it. */
function writeVif(domid: Domid): { readonly front: string; readonly back: string } {
  const front = `/local/domain/${domid}/device/vif/0`
  const back = `/local/domain/0/backend/vif/${domid}/0`
  store.keys.set(`${front}/backend`, back)
  store.keys.set(`${front}/backend-id`, '0')
  store.keys.set(`${front}/state`, '1')
  store.keys.set(`${back}/frontend`, front)
  store.keys.set(`${back}/online`, '1')
  store.keys.set(`${back}/hotplug-status`, 'connected')
  return { front, back }
}

async function guestWithVif(): Promise<{ domid: Domid; front: string; back: string }> {
  const { domid, ports } = await makeDomain(machine.xen, contractSpec('pvh'), machine.kernel)
  const paths = writeVif(domid)
  store.attach(domid, ports.storePort)
  machine.xen.domains.unpause(domid)
  store.write(`${paths.back}/state`, '1')
  return { domid, ...paths }
}

/** As a toolstack does it; dom0's kernel lets go once the back end's directory is gone. */
async function destroy(domid: Domid): Promise<void> {
  store.detach(domid)
  await machine.xen.domains.destroy(domid)
  store.remove(`/local/domain/0/backend/vif/${domid}`)
}

async function nothingIsLeft(): Promise<void> {
  await expect
    .poll(() => machine.simulator.stats(), SOON)
    .toMatchObject({ domains: 1, pages: 1, vifConnected: 0, crashed: 0, broken: 0, lost: 0 })
}

const isConnected = (back: string) => () => store.keys.get(`${back}/state`) === '4'

it('goes on whoever else maps the page of its store ring', async () => {
  const { domid, back } = await guestWithVif()
  await store.until(isConnected(back))
  const other = machine.xen.rings('xenstore', {
    memory: StateMemory.anonymous(2 ** 20),
    maxConnections: 4,
    maxQueuedBytes: 2 ** 16,
    virqs: [],
  })
  await refuses('EINVAL', () => other.attachSelf())
  other.close()
  const second = await guestWithVif()
  await store.until(isConnected(second.back))
  await expect
    .poll(() => machine.simulator.stats(), SOON)
    .toMatchObject({ vifConnected: 2, broken: 0 })
  await destroy(domid)
  await destroy(second.domid)
  await nothingIsLeft()
})

it('keeps its back ends when another daemon serves the same store', async () => {
  const { domid, front, back } = await guestWithVif()
  await store.until(isConnected(back))
  store.close()
  store = new SmallStore(machine.xen, store.keys)
  await store.until(() => store.asked.includes(`4 ${front}/state`))
  expect(store.asked).toContain('4 /local/domain/0/backend/vif')
  expect(store.keys.get(`${back}/state`)).toBe('4')

  // It hears of its devices again, and of new ones.
  const added = await guestWithVif()
  await store.until(isConnected(added.back))
  store.write(`${front}/state`, '6')
  await store.until(() => store.keys.get(`${back}/state`) === '6')
  await destroy(domid)
  await destroy(added.domid)
  await nothingIsLeft()
})

it('asks another daemon what the last one has not answered', async () => {
  const { domid, ports } = await makeDomain(machine.xen, contractSpec('pvh'), machine.kernel)
  const { back, front } = writeVif(domid)
  // Before a transaction, and in it.
  for (const silent of [`2 ${back}/frontend`, `11 ${back}/state`]) {
    store.unanswered.add(silent)
    store.attach(domid, ports.storePort)
    store.write(`${back}/state`, '1')
    await store.until(() => store.asked.includes(silent))
    store.close()
    store = new SmallStore(machine.xen, store.keys)
  }
  await store.until(() => store.keys.get(`${back}/state`) === '2')
  await store.until(() => store.asked.includes(`4 ${front}/state`))
  expect(await machine.simulator.stats()).toMatchObject({ broken: 0, lost: 0 })
  await destroy(domid)
  await nothingIsLeft()
})

it.each([
  'gnttab_map_grant_ref',
  'evtchn_bind_interdomain',
])('gives a device up at %s, and nothing of it stays', async (name) => {
  const { domid, ports } = await makeDomain(machine.xen, contractSpec('pvh'), machine.kernel)
  const { back, front } = writeVif(domid)
  store.attach(domid, ports.storePort)
  await machine.simulator.fault({ name, errno: 'ENOMEM', domid })
  store.write(`${back}/state`, '1')
  machine.xen.domains.unpause(domid)
  await store.until(() => store.keys.has(`/local/domain/${domid}/data/ready`))
  expect(store.keys.get(`/local/domain/0/error/backend/vif/${domid}/0/error`)).toBe(`12 ${name}`)
  expect(store.keys.get(`${front}/state`)).toBe('6')
  expect(await machine.simulator.stats()).toMatchObject({ vifConnected: 0, broken: 0 })
  await destroy(domid)
  await nothingIsLeft()
})

it('gives a guest without an event channel no device', async () => {
  const { domid, ports } = await makeDomain(machine.xen, contractSpec('pvh'), machine.kernel)
  const { back, front } = writeVif(domid)
  store.attach(domid, ports.storePort)
  await machine.simulator.fault({ name: 'evtchn_alloc_unbound', errno: 'ENOSPC', domid })
  store.write(`${back}/state`, '1')
  machine.xen.domains.unpause(domid)
  await store.until(() => store.keys.has(`/local/domain/${domid}/data/ready`))
  expect(store.keys.get(`${front}/state`)).toBe('6')
  await destroy(domid)
  await nothingIsLeft()
})
