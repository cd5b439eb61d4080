import assert from 'node:assert/strict'
import type { Claim, ContractMachine } from './machine.ts'
import { NOBODY, refuses } from './machine.ts'

/** What can be asked of a host on which nothing runs but dom0. */
export function hostClaims({ xen, rings }: ContractMachine): Claim[] {
  return [
    {
      name: 'the host tells its version, memory and processors',
      body() {
        const host = xen.domains.host()
        assert.match(host.version, /^4\.\d+/)
        assert.ok(host.freeMemoryKiB > 0 && host.freeMemoryKiB < host.totalMemoryKiB)
        assert.ok(host.cpus > 0)
        assert.match(host.caps, /xen-3\.0-x86_64/)
      },
    },
    {
      name: 'domain 0 is listed and running',
      body() {
        const [dom0] = xen.domains.list()
        assert.equal(dom0?.domid, 0)
        assert.equal(dom0?.isRunning, true)
        assert.equal(dom0?.isHvm, false)
      },
    },
    {
      name: 'the states are those of the list, in its order',
      body() {
        const expected = xen.domains.list().flatMap((info) => [info.domid, info.isDying ? 1 : 0])
        assert.deepEqual([...xen.domains.states()], expected)
        assert.equal(xen.domains.states((expected.at(-2) ?? 0) + 1).length, 0)
      },
    },
    {
      name: 'which domains changed is told once, or never at all',
      body() {
        const first = xen.domains.changed()
        const second = xen.domains.changed()
        assert.equal(second === undefined, first === undefined)
        assert.deepEqual([...(second ?? [])], [])
      },
    },
    {
      name: 'a domid that nobody has is not there',
      async body() {
        assert.equal(xen.domains.info(NOBODY), undefined)
        await refuses('ESRCH', () => xen.domains.pause(NOBODY))
        await refuses('ESRCH', () => xen.domains.unpause(NOBODY))
        await refuses('ESRCH', () => xen.domains.destroy(NOBODY))
      },
    },
    {
      name: "Xen's console can be read piece by piece",
      body() {
        const { readConsoleRing } = xen.domains
        const first = readConsoleRing(0)
        assert.match(Buffer.from(first.bytes).toString('latin1'), /Xen/)
        let at = first.nextIndex
        for (let next = readConsoleRing(at); next.bytes.length > 0; next = readConsoleRing(at)) {
          at = next.nextIndex
        }
        assert.equal(readConsoleRing(at).bytes.length, 0)
      },
    },
    {
      name: "dom0's own ring is answered",
      async body() {
        const id = rings.store.attachSelf()
        // The kernel reads keys and sets watches as soon as somebody is there.
        await rings.until(() => rings.requests > 0)
        rings.store.detach(id)
      },
    },
  ]
}
