import assert from 'node:assert/strict'
import {
  DOMAIN_REASON_SHIFT,
  DOMAIN_SHUTDOWN,
  type EvtchnPort,
  SHUTDOWN_REASONS,
  VIRQ_DOM_EXC,
} from '../../../native/hypervisor.ts'
import { CONNECTION_KIND, CONNECTION_WORDS } from '../../../native/ring-set.ts'
import type { Claim, ContractDomain, ContractMachine, ContractRings } from './machine.ts'
import {
  CONSOLE_PAGE,
  contractSpec,
  makeDomain,
  refuses,
  STORE_PAGE,
  untilDomain,
} from './machine.ts'

/** The life of one guest, from its creation until nothing is left of it; each claim goes on where the last ended. */
export function lifeClaims(machine: ContractMachine, type: 'pv' | 'pvh'): Claim[] {
  const { xen, rings, kernels } = machine
  const spec = contractSpec(type)
  let domain: ContractDomain
  let ids: ReturnType<ContractRings['attach']>

  const claims: Claim[] = [
    {
      name: 'created, prepared and built, it is there and paused',
      async body() {
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
      },
    },
    {
      name: 'its rings attach by grant; the same port does not attach twice',
      async body() {
        ids = rings.attach(domain.domid, domain.ports)
        assert.equal(rings.store.connections[ids.store * CONNECTION_WORDS + CONNECTION_KIND], 2)
        await refuses('EINVAL', () =>
          rings.store.attach(domain.domid, STORE_PAGE, domain.ports.storePort, 0),
        )
      },
    },
    {
      name: 'a page that is there attaches as a frame, too',
      async body() {
        rings.store.detach(ids.store)
        const page = { kind: 'gfn', gfn: domain.image.storeGfn } as const
        // A port once closed by this side is the guest's to open again; only the mapping is at stake.
        await refuses('EINVAL', () => rings.store.attach(domain.domid, page, 100 as EvtchnPort, 0))
        ids = { ...ids, store: rings.store.attach(domain.domid, page, domain.ports.storePort, 0) }
      },
    },
    {
      name: 'unpaused, it reads its keys and says READY on its console',
      async body() {
        rings.printed = ''
        xen.domains.unpause(domain.domid)
        await rings.until(() => /READY [^\n]*\n/.test(rings.printed))
        assert.match(
          rings.printed,
          new RegExp(`READY ${type} domid=${domain.domid} name=contract nonce=contract write=OK`),
        )
        assert.equal(rings.written.get('data/ready'), String(domain.domid))
        assert.equal(xen.domains.info(domain.domid)?.isPaused, false)
      },
    },
    {
      name: 'what is typed on its console reaches it',
      async body() {
        rings.printed = ''
        rings.type(ids.console, 'ping\n')
        await rings.until(() => rings.printed.includes('pong'))
      },
    },
    {
      name: 'what it prints while nobody listens is there for who attaches later',
      async body() {
        rings.printed = ''
        rings.type(ids.console, 'ping\n')
        rings.consoles.detach(ids.console)
        const { consolePort } = domain.ports
        const console = rings.consoles.attach(domain.domid, CONSOLE_PAGE, consolePort, 0)
        ids = { ...ids, console }
        await rings.until(() => rings.printed.includes('pong'))
      },
    },
    {
      name: 'paused and unpaused again, it has what was typed meanwhile',
      async body() {
        xen.domains.pause(domain.domid)
        assert.equal(xen.domains.info(domain.domid)?.isPaused, true)
        rings.printed = ''
        rings.type(ids.console, 'ping\n')
        xen.domains.unpause(domain.domid)
        await rings.until(() => rings.printed.includes('pong'))
      },
    },
    {
      name: 'paused twice, it wants unpausing twice, and not once more',
      async body() {
        const isPaused = () => xen.domains.info(domain.domid)?.isPaused
        xen.domains.pause(domain.domid)
        xen.domains.pause(domain.domid)
        xen.domains.unpause(domain.domid)
        assert.equal(isPaused(), true)
        xen.domains.unpause(domain.domid)
        assert.equal(isPaused(), false)
        await refuses('EINVAL', () => xen.domains.unpause(domain.domid))
      },
    },
    {
      name: 'powering off raises VIRQ_DOM_EXC and tells the reason',
      async body() {
        rings.virqs.length = 0
        rings.type(ids.console, 'poweroff\n')
        await rings.until(() => rings.virqs.includes(VIRQ_DOM_EXC))
        await untilDomain(machine, domain.domid, (info) => info?.isShutdown === true)
        assert.equal(xen.domains.info(domain.domid)?.shutdownReason, 'poweroff')
        const state =
          DOMAIN_SHUTDOWN | (SHUTDOWN_REASONS.indexOf('poweroff') << DOMAIN_REASON_SHIFT)
        assert.deepEqual([...xen.domains.states(domain.domid)], [domain.domid, state])
      },
    },
    {
      name: 'destroyed while its rings are mapped, it is dying, and nothing more attaches',
      async body() {
        rings.virqs.length = 0
        await xen.domains.destroy(domain.domid)
        assert.equal(xen.domains.info(domain.domid)?.isDying, true)
        await rings.until(() => rings.virqs.includes(VIRQ_DOM_EXC))
        await refuses('EINVAL', () =>
          rings.store.attach(domain.domid, STORE_PAGE, domain.ports.storePort, 0),
        )
        // To destroy it again is no mistake: whoever asks wants it gone.
        await xen.domains.destroy(domain.domid)
      },
    },
    {
      name: 'it is gone once nothing of it is mapped',
      async body() {
        rings.store.detach(ids.store)
        rings.consoles.detach(ids.console)
        await untilDomain(machine, domain.domid, (info) => info === undefined)
        await refuses('ESRCH', () => xen.domains.destroy(domain.domid))
        await refuses('ESRCH', () => xen.domains.unpause(domain.domid))
      },
    },
  ]
  return claims.map(({ name, body }) => ({ name: `${type}: ${name}`, body }))
}
