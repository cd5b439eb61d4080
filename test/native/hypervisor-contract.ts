/**
 * What callers of the hypervisor seam may rely on. Bundled to one file and run by plain node on a Xen
 * host without any daemon, as root; prints TAP, ends with 0 when all claims hold.
 *
 * Kernels: XCL_GUEST_PV and XCL_GUEST_PVH, or the first two arguments.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import {
  DOMAIN_REASON_SHIFT,
  DOMAIN_SHUTDOWN,
  type Domid,
  type EvtchnPort,
  GNTTAB_RESERVED_XENSTORE,
  SHUTDOWN_REASONS,
  VIRQ_DOM_EXC,
} from '../../native/hypervisor.ts'
import { CONNECTION_KIND, CONNECTION_WORDS } from '../../native/ring-set.ts'
import { openXen } from '../../native/xen.ts'
import { XenError } from '../../native/xen-error.ts'
import { type ContractDomain, ContractRings, contractSpec, makeDomain } from './contract-guest.ts'
import { Claims } from './tap.ts'

const PV_MEMORY_KIB = 1024
const PVH_MEMORY_KIB = 4096
const NOBODY = 32000 as Domid
const STORE_PAGE = { kind: 'gref', gref: GNTTAB_RESERVED_XENSTORE } as const

const kernels = {
  pv: process.env.XCL_GUEST_PV ?? process.argv[2] ?? '',
  pvh: process.env.XCL_GUEST_PVH ?? process.argv[3] ?? '',
}
const xen = openXen()
const rings = new ContractRings(xen, [VIRQ_DOM_EXC])
const claims = new Claims()
const { claim } = { claim: claims.claim.bind(claims) }

/** Fails unless `body` fails with a XenError of this code. */
async function refuses(code: string, body: () => unknown): Promise<XenError> {
  try {
    await body()
  } catch (error) {
    assert.ok(error instanceof XenError, `no XenError but ${String(error)}`)
    console.log(`# ${error.op}: ${error.message}`)
    assert.equal(error.code, code, error.message)
    return error
  }
  throw new Error(`nothing failed; ${code} was due`)
}

/** Xen gives memory back a moment after the domain has gone, and nothing tells when. */
async function untilFree(wantedKiB: number): Promise<void> {
  while (xen.domains.host().freeMemoryKiB < wantedKiB) await setTimeout(20)
}

claim('the host tells its version, memory and processors', () => {
  const host = xen.domains.host()
  assert.match(host.version, /^4\.\d+/)
  assert.ok(host.freeMemoryKiB > 0 && host.freeMemoryKiB < host.totalMemoryKiB)
  assert.ok(host.cpus > 0)
  assert.match(host.caps, /xen-3\.0-x86_64/)
})

claim('domain 0 is listed and running', () => {
  const [dom0] = xen.domains.list()
  assert.equal(dom0?.domid, 0)
  assert.equal(dom0?.isRunning, true)
  assert.equal(dom0?.isHvm, false)
})

claim('the states are those of the list, in its order', () => {
  const expected = xen.domains.list().flatMap((info) => [info.domid, info.isDying ? 1 : 0])
  assert.deepEqual([...xen.domains.states()], expected)
  assert.equal(xen.domains.states((expected.at(-2) ?? 0) + 1).length, 0)
})

claim('a domid that nobody has is not there', async () => {
  assert.equal(xen.domains.info(NOBODY), undefined)
  await refuses('ESRCH', () => xen.domains.pause(NOBODY))
  await refuses('ESRCH', () => xen.domains.unpause(NOBODY))
  await refuses('ESRCH', () => xen.domains.destroy(NOBODY))
})

claim("Xen's console can be read piece by piece", () => {
  const { readConsoleRing } = xen.domains
  const first = readConsoleRing(0)
  assert.match(Buffer.from(first.bytes).toString('latin1'), /Xen/)
  let at = first.nextIndex
  for (let next = readConsoleRing(at); next.bytes.length > 0; next = readConsoleRing(at)) {
    at = next.nextIndex
  }
  assert.equal(readConsoleRing(at).bytes.length, 0)
})

claim("dom0's own ring is answered", async () => {
  const id = rings.store.attachSelf()
  // The kernel reads keys and sets watches as soon as somebody is there.
  await rings.until(() => rings.requests > 0)
  rings.store.detach(id)
})

for (const type of ['pv', 'pvh'] as const) {
  const spec = contractSpec(type, type === 'pv' ? PV_MEMORY_KIB : PVH_MEMORY_KIB)
  let domain: ContractDomain
  let ids: ReturnType<ContractRings['attach']>

  claim(`${type}: created, prepared and built, it is there and paused`, async () => {
    domain = await makeDomain(xen, spec, kernels[type])
    const info = xen.domains.info(domain.domid)
    assert.equal(info?.domid, domain.domid)
    assert.equal(info?.uuid, spec.uuid)
    assert.equal(info?.isPaused, true)
    assert.equal(info?.isHvm, type === 'pvh')
    assert.equal(info?.isShutdown, false)
    assert.equal(info?.shutdownReason, undefined)
    assert.equal(info?.vcpus, 1)
    assert.ok((info?.memoryKiB ?? 0) >= spec.memoryKiB)
    assert.notEqual(domain.ports.storePort, domain.ports.consolePort)
    assert.notEqual(domain.image.storeGfn, domain.image.consoleGfn)
    assert.ok(xen.domains.list(1).some((entry) => entry.domid === domain.domid))
  })

  claim(`${type}: its rings attach by grant; the same port does not attach twice`, async () => {
    ids = rings.attach(domain.domid, domain.ports)
    assert.equal(rings.store.connections[ids.store * CONNECTION_WORDS + CONNECTION_KIND], 2)
    await refuses('EINVAL', () =>
      rings.store.attach(domain.domid, STORE_PAGE, domain.ports.storePort, 0),
    )
  })

  claim(`${type}: a page that is there attaches as a frame, too`, async () => {
    rings.store.detach(ids.store)
    const page = { kind: 'gfn', gfn: domain.image.storeGfn } as const
    // A port once closed by this side is the guest's to open again; only the mapping is at stake.
    await refuses('EINVAL', () => rings.store.attach(domain.domid, page, 100 as EvtchnPort, 0))
    ids = { ...ids, store: rings.store.attach(domain.domid, page, domain.ports.storePort, 0) }
  })

  claim(`${type}: unpaused, it reads its keys and says READY on its console`, async () => {
    rings.keys.set('domid', String(domain.domid))
    rings.keys.set('name', 'contract')
    rings.printed = ''
    xen.domains.unpause(domain.domid)
    await rings.until(() => /READY [^\n]*\n/.test(rings.printed))
    assert.match(
      rings.printed,
      new RegExp(`READY ${type} domid=${domain.domid} name=contract nonce=contract write=OK`),
    )
    assert.equal(rings.written.get('data/ready'), String(domain.domid))
    assert.equal(xen.domains.info(domain.domid)?.isPaused, false)
  })

  claim(`${type}: what is typed on its console reaches it`, async () => {
    rings.printed = ''
    rings.type(ids.console, 'ping\n')
    await rings.until(() => rings.printed.includes('pong'))
  })

  claim(`${type}: paused and unpaused again`, async () => {
    xen.domains.pause(domain.domid)
    assert.equal(xen.domains.info(domain.domid)?.isPaused, true)
    rings.printed = ''
    rings.type(ids.console, 'ping\n')
    xen.domains.unpause(domain.domid)
    await rings.until(() => rings.printed.includes('pong'))
  })

  claim(`${type}: powering off raises VIRQ_DOM_EXC and tells the reason`, async () => {
    rings.virqs.length = 0
    rings.type(ids.console, 'poweroff\n')
    await rings.until(() => rings.virqs.includes(VIRQ_DOM_EXC))
    while (xen.domains.info(domain.domid)?.isShutdown !== true) {
      rings.virqs.length = 0
      await rings.until(() => rings.virqs.length > 0)
    }
    assert.equal(xen.domains.info(domain.domid)?.shutdownReason, 'poweroff')
    const state = DOMAIN_SHUTDOWN | (SHUTDOWN_REASONS.indexOf('poweroff') << DOMAIN_REASON_SHIFT)
    assert.deepEqual([...xen.domains.states(domain.domid)], [domain.domid, state])
  })

  claim(`${type}: destroyed while its rings are mapped, it is gone once they are not`, async () => {
    rings.virqs.length = 0
    await xen.domains.destroy(domain.domid)
    assert.notEqual(xen.domains.info(domain.domid)?.isDying, false)
    await rings.until(() => rings.virqs.includes(VIRQ_DOM_EXC))
    rings.store.detach(ids.store)
    rings.consoles.detach(ids.console)
    while (xen.domains.info(domain.domid) !== undefined) {
      rings.virqs.length = 0
      await rings.until(() => rings.virqs.length > 0)
    }
    await refuses('ESRCH', () => xen.domains.destroy(domain.domid))
    await refuses('ESRCH', () => xen.domains.unpause(domain.domid))
  })
}

claim('nothing attaches of a domain that is not there, and nothing is kept', async () => {
  const port = 1 as EvtchnPort
  const before = [...rings.store.connections]
  const error = await refuses('EINVAL', () => rings.store.attach(NOBODY, STORE_PAGE, port, 0))
  assert.equal(error.domid, NOBODY)
  assert.deepEqual(
    [...rings.store.connections].filter((_, i) => i % CONNECTION_WORDS === CONNECTION_KIND),
    before.filter((_, i) => i % CONNECTION_WORDS === CONNECTION_KIND),
  )
})

claim(
  'what can go wrong in a build goes wrong by name, and leaves a domain that can be destroyed',
  async () => {
    const before = xen.domains.host().freeMemoryKiB
    const garbage = join(tmpdir(), 'garbage-kernel')
    writeFileSync(garbage, Buffer.alloc(65536, 'no kernel '))
    for (const type of ['pv', 'pvh'] as const) {
      const spec = contractSpec(type, PVH_MEMORY_KIB)
      const domid = await xen.builder.create(spec)
      const ports = await xen.builder.prepare(domid, spec)
      const build = (kernel: string, ramdisk: string | undefined) => () =>
        xen.builder.build(domid, spec, ports, { kernel, ramdisk, cmdline: '' })
      assert.equal(
        (await refuses('ENOENT', build('/no/such/kernel', undefined))).op,
        'dom_kernel_file',
      )
      assert.equal((await refuses('EISDIR', build('/tmp', undefined))).op, 'dom_kernel_file')
      assert.equal(
        (await refuses('ENOENT', build(kernels[type], '/no/such/disk'))).op,
        'dom_module_file',
      )
      assert.equal((await refuses('ENOEXEC', build(garbage, undefined))).op, 'dom_parse_image')
      await xen.domains.destroy(domid)
    }
    await untilFree(before)
  },
)

claim('more memory than there is: ENOMEM, and all of it comes back', async () => {
  const before = xen.domains.host()
  for (const type of ['pv', 'pvh'] as const) {
    const spec = contractSpec(type, Math.ceil(before.totalMemoryKiB / 4096) * 4096)
    const domid = await xen.builder.create(spec)
    const ports = await xen.builder.prepare(domid, spec)
    await refuses('ENOMEM', () =>
      xen.builder.build(domid, spec, ports, {
        kernel: kernels[type],
        ramdisk: undefined,
        cmdline: '',
      }),
    )
    await xen.domains.destroy(domid)
  }
  await untilFree(before.freeMemoryKiB)
})

claim('after as many guests again, memory is as before', async () => {
  const round = async () => {
    for (const type of ['pv', 'pvh'] as const) {
      const spec = contractSpec(type, type === 'pv' ? PV_MEMORY_KIB : PVH_MEMORY_KIB)
      const { domid, ports } = await makeDomain(xen, spec, kernels[type])
      const ids = rings.attach(domid, ports)
      xen.domains.unpause(domid)
      rings.store.detach(ids.store)
      rings.consoles.detach(ids.console)
      await xen.domains.destroy(domid)
    }
  }
  await round()
  const before = xen.domains.host().freeMemoryKiB
  for (let i = 0; i < 5; i++) await round()
  await untilFree(before)
})

claims.run().then((isSound) => {
  rings.close()
  xen.close()
  process.exitCode = isSound ? 0 : 1
})
