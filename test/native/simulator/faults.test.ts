import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { VIRQ_DOM_EXC } from '../../../native/hypervisor.ts'
import { ContractRings, contractSpec, refuses, untilDomain } from '../contract/machine.ts'
import { TestMachine } from './a-machine.ts'

let machine: TestMachine
let rings: ContractRings
const spec = contractSpec('pvh')

beforeAll(async () => {
  machine = await TestMachine.start()
  rings = new ContractRings(machine.xen, [VIRQ_DOM_EXC])
})

afterAll(async () => {
  rings.close()
  await machine.stop()
})

/** A domain up to the step that is to fail, and then that step. */
async function create() {
  return machine.xen.builder.create(spec)
}
async function prepare() {
  const domid = await create()
  return { domid, ports: await machine.xen.builder.prepare(domid, spec) }
}
async function build() {
  const { domid, ports } = await prepare()
  const image = { kernel: machine.kernel, ramdisk: undefined, cmdline: '' }
  return { domid, ports, built: await machine.xen.builder.build(domid, spec, ports, image) }
}
async function buildWithRamdisk() {
  const { domid, ports } = await prepare()
  const image = { kernel: machine.kernel, ramdisk: machine.kernel, cmdline: '' }
  return machine.xen.builder.build(domid, spec, ports, image)
}
async function attachFrame() {
  const { domid, ports, built } = await build()
  return rings.store.attach(domid, { kind: 'gfn', gfn: built.storeGfn }, ports.storePort, 0)
}

const STEPS: Readonly<Record<string, () => unknown>> = {
  domain_create: create,
  domain_max_vcpus: prepare,
  domain_setmaxmem: prepare,
  set_paging_mempool_size: prepare,
  evtchn_alloc_unbound: prepare,
  dom_kernel_file: build,
  dom_module_file: buildWithRamdisk,
  dom_parse_image: build,
  dom_boot_mem_init: build,
  dom_build_image: build,
  dom_gnttab_init: build,
  domain_pause: async () => machine.xen.domains.pause(await create()),
  domain_unpause: async () => machine.xen.domains.unpause(await create()),
  domain_destroy: async () => machine.xen.domains.destroy(await create()),
  gnttab_map_grant_ref: async () => {
    const { domid, ports } = await build()
    rings.attach(domid, ports)
  },
  foreignmemory_map: attachFrame,
  evtchn_bind_interdomain: attachFrame,
  evtchn_bind_virq: () => new ContractRings(machine.xen, [VIRQ_DOM_EXC]),
  readconsolering: () => machine.xen.domains.readConsoleRing(0),
  join_bridge: () => machine.xen.devices.joinBridge('vif1.0', 'xenbr0'),
  open_disk: () => machine.xen.devices.openDisk(machine.kernel, true),
}

/** The VIRQ is held, and there is no such interface. */
const FAILS_ANYWAY: Readonly<Record<string, string>> = {
  evtchn_bind_virq: 'EEXIST',
  join_bridge: 'ENODEV',
}

/** Steps of a boot without devices; test/xcl/faults/guest-deaths.test.ts takes all that there are. */
const BOOT_STEPS = ['boot', 'read', 'write', 'print']

describe('a fault', () => {
  it('there is has its test', async () => {
    const lines = await machine.simulator.command('faults')
    const names = lines.filter((line) => !/^(set |guest_dies_)/.test(line))
    expect(Object.keys(STEPS).sort()).toEqual(names.sort())
  })

  it.each(Object.entries(STEPS))('of %s is the XenError of that name, once', async (name, step) => {
    await machine.simulator.fault({ name, errno: 'EOVERFLOW' })
    const error = await refuses('EOVERFLOW', step)
    expect(error.op).toBe(name)
    expect(error.message).toMatch(/: EOVERFLOW$/)
    const otherwise = FAILS_ANYWAY[name]
    if (otherwise === undefined) await step()
    else await refuses(otherwise, step)
  })

  it('comes as often as it is asked for, after as many as are to go well', async () => {
    const host = () => machine.xen.domains.readConsoleRing(0)
    await machine.simulator.fault({ name: 'readconsolering', errno: 'EPERM', after: 2, times: 2 })
    host()
    host()
    await refuses('EPERM', host)
    await refuses('EPERM', host)
    host()
  })

  it('may be for one domain only', async () => {
    const [one, other] = [await create(), await create()]
    await machine.simulator.fault({ name: 'domain_pause', errno: 'EBUSY', domid: one })
    machine.xen.domains.pause(other)
    const error = await refuses('EBUSY', () => machine.xen.domains.pause(one))
    expect(error.domid).toBe(one)
    expect(error.message).toBe(`dom ${one}: cannot pause: EBUSY`)
    machine.xen.domains.pause(one)
  })

  it('of join_bridge may be for one domain only: the one whose interface it is', async () => {
    const join = (name: string) => machine.xen.devices.joinBridge(name, 'xenbr0')
    await machine.simulator.fault({ name: 'join_bridge', errno: 'ENOMEM', domid: 17 })
    for (const name of ['vif1.0', 'vif170.0', 'vif17', 'tap17.0', 'vif.17', 'vifx17.0']) {
      await refuses('ENODEV', () => join(name))
    }
    await refuses('ENOMEM', () => join('vif17.3'))
    await refuses('ENODEV', () => join('vif17.3'))
  })

  it.each([
    'evtchn_bind_virq',
    'open_disk',
    'readconsolering',
  ])('of %s is for no domain, and is refused in a sentence when it should be', async (name) => {
    const wrong = machine.simulator.fault({ name, errno: 'EIO', domid: 1 })
    await expect(wrong).rejects.toThrow(
      `${name} is called for no domain in particular: it takes no domid=`,
    )
  })

  it('of a name or an errno that there is not is refused in a sentence', async () => {
    const unknown = machine.simulator.fault({ name: 'no_such_call', errno: 'EINVAL' })
    await expect(unknown).rejects.toThrow('no fault is called no_such_call; `faults` lists them')
    const odd = machine.simulator.fault({ name: 'domain_pause', errno: 'EWHAT' })
    await expect(odd).rejects.toThrow('no errno is called EWHAT')
  })

  it.each(BOOT_STEPS)('lets a guest crash at its step %s', async (step) => {
    await machine.simulator.fault({ name: `guest_dies_${step}`, errno: 'EINVAL' })
    const { domid, ports } = await build()
    const ids = rings.attach(domid, ports)
    machine.xen.domains.unpause(domid)
    await untilDomain({ xen: machine.xen, rings }, domid, (info) => info?.isShutdown === true)
    expect(machine.xen.domains.info(domid)?.shutdownReason).toBe('crash')
    expect(rings.printedOn.get(ids.console) ?? '').not.toMatch(/READY/)
    rings.store.detach(ids.store)
    rings.consoles.detach(ids.console)
    await machine.xen.domains.destroy(domid)
  })
})
