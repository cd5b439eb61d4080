import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Claim, ContractMachine } from './machine.ts'
import { contractSpec, makeDomain, refuses, untilFree } from './machine.ts'

const SOME_MEMORY_KIB = 4096

/** What can go wrong while a domain is built, and that memory comes back. */
export function buildClaims(machine: ContractMachine): Claim[] {
  const { xen, rings, kernels } = machine
  return [
    {
      name: 'what can go wrong in a build goes wrong by name, and leaves a domain that can be destroyed',
      async body() {
        const before = xen.domains.host().freeMemoryKiB
        const garbage = join(tmpdir(), `garbage-kernel-${process.pid}`)
        writeFileSync(garbage, Buffer.alloc(65536, 'no kernel '))
        for (const type of ['pv', 'pvh'] as const) {
          const spec = contractSpec(type, SOME_MEMORY_KIB)
          const domid = await xen.builder.create(spec)
          const ports = await xen.builder.prepare(domid, spec)
          const refusesBuild = async (code: string, kernel: string, ramdisk?: string) => {
            const image = { kernel, ramdisk, cmdline: '' }
            return (await refuses(code, () => xen.builder.build(domid, spec, ports, image))).op
          }
          assert.equal(await refusesBuild('ENOENT', '/no/such/kernel'), 'dom_kernel_file')
          assert.equal(await refusesBuild('EISDIR', tmpdir()), 'dom_kernel_file')
          assert.equal(
            await refusesBuild('ENOENT', kernels[type], '/no/such/disk'),
            'dom_module_file',
          )
          assert.equal(await refusesBuild('ENOEXEC', garbage), 'dom_parse_image')
          if (type === 'pvh') {
            // A kernel that has no entry for PVH.
            assert.equal(await refusesBuild('ENOEXEC', kernels.pv), 'dom_parse_image')
          }
          await xen.domains.destroy(domid)
        }
        await untilFree(machine, before)
      },
    },
    {
      name: 'a text with a NUL character is refused, and the domain can still be built',
      async body() {
        const before = xen.domains.host().freeMemoryKiB
        const spec = contractSpec('pvh')
        const domid = await xen.builder.create(spec)
        const ports = await xen.builder.prepare(domid, spec)
        const image = { kernel: kernels.pvh, ramdisk: undefined, cmdline: '' }
        const odd = [
          { kernel: `${kernels.pvh}\0x` },
          { ramdisk: `${kernels.pvh}\0x` },
          { cmdline: 'nonce=contract\0x' },
        ]
        for (const change of odd) {
          const error = await refuses('EINVAL', () =>
            xen.builder.build(domid, spec, ports, { ...image, ...change }),
          )
          assert.match(error.message, /must not contain a NUL character/)
        }
        await xen.builder.build(domid, spec, ports, image)
        await xen.domains.destroy(domid)
        await untilFree(machine, before)
      },
    },
    {
      name: 'more memory than there is: ENOMEM, and all of it comes back',
      async body() {
        const before = xen.domains.host()
        for (const type of ['pv', 'pvh'] as const) {
          const spec = contractSpec(type, Math.ceil(before.totalMemoryKiB / 4096) * 4096)
          const domid = await xen.builder.create(spec)
          const ports = await xen.builder.prepare(domid, spec)
          const image = { kernel: kernels[type], ramdisk: undefined, cmdline: '' }
          await refuses('ENOMEM', () => xen.builder.build(domid, spec, ports, image))
          await xen.domains.destroy(domid)
        }
        await untilFree(machine, before.freeMemoryKiB)
      },
    },
    {
      name: 'after as many guests again, memory is as before',
      async body() {
        const round = async () => {
          for (const type of ['pv', 'pvh'] as const) {
            const { domid, ports } = await makeDomain(xen, contractSpec(type), kernels[type])
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
        await untilFree(machine, before)
      },
    },
  ]
}
