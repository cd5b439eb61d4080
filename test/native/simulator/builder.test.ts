import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aFolder } from '../../support/a-socket-peer.ts'
import { contractSpec, makeDomain, refuses } from '../contract/machine.ts'
import { TestMachine } from './a-machine.ts'
import { writeKernels } from './kernels.ts'

const HAS_XEN_HEADERS = existsSync('/usr/include/xen/xen.h')
const GUEST_FOLDER = join(import.meta.dirname, '../../guest')

const folder = aFolder()
let machine: TestMachine

beforeAll(async () => {
  machine = await TestMachine.start()
})

afterAll(async () => {
  await machine.stop()
  folder.remove()
})

function aFile(name: string, content: string | Buffer): string {
  const path = join(folder.path, name)
  writeFileSync(path, content)
  return path
}

/** Builds a domain of each type from the kernel. */
async function buildBoth(kernel: string): Promise<void> {
  for (const type of ['pv', 'pvh'] as const) {
    const { domid, image } = await makeDomain(machine.xen, contractSpec(type), kernel)
    expect(image.storeGfn).not.toBe(image.consoleGfn)
    await machine.xen.domains.destroy(domid)
  }
}

it('takes a file that says it is a simulated kernel', async () => {
  await buildBoth(aFile('simulated', '#!xcl-guest\n'))
})

it('takes a Linux kernel', async () => {
  const image = Buffer.alloc(4096)
  image.writeUInt16LE(0xaa55, 0x1fe)
  image.write('HdrS', 0x202, 'latin1')
  await buildBoth(aFile('bzImage', image))
})

it('takes no file that is only called a kernel', async () => {
  const spec = contractSpec('pvh')
  const almost = ['', '#!/bin/sh\n', '\x7fELF', Buffer.alloc(1024, '\x7fELF')]
  for (const [index, content] of almost.entries()) {
    const kernel = aFile(`almost-${index}`, content)
    const error = await refuses('ENOEXEC', () => makeDomain(machine.xen, spec, kernel))
    expect(error.op).toBe('dom_parse_image')
    expect(error.message).toContain(`${kernel} is no kernel for this kind of domain`)
  }
})

it('takes an ELF file for what its notes say', async () => {
  await takesEachForItsType(writeKernels(folder.path))
  // Compiled against Xen's headers; where they are missing, the rig's contract still builds these kernels.
  if (!HAS_XEN_HEADERS) return
  const out = join(folder.path, 'compiled')
  mkdirSync(out)
  execFileSync('make', ['-s', '-C', GUEST_FOLDER, `OUT=${out}`], { stdio: 'pipe' })
  await takesEachForItsType({ pv: join(out, 'guest-pv.elf'), pvh: join(out, 'guest-pvh.elf') })
})

/** Each kernel builds as its own type, and the PV one not as PVH. */
async function takesEachForItsType(kernels: { pv: string; pvh: string }): Promise<void> {
  for (const type of ['pv', 'pvh'] as const) {
    const { domid } = await makeDomain(machine.xen, contractSpec(type), kernels[type])
    await machine.xen.domains.destroy(domid)
  }
  await refuses('ENOEXEC', () => makeDomain(machine.xen, contractSpec('pvh'), kernels.pv))
}
