/** Domains of a simulated machine, as small as can be, without any toolstack. */
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type {
  BuiltImage,
  DomainBuilder,
  DomainPorts,
  DomainSpec,
  Domid,
} from '../native/hypervisor.ts'

const MEMORY_KIB = 4096

/** A domain that is built, and paused. */
export interface MadeDomain {
  readonly domid: Domid
  readonly uuid: string
  readonly ports: DomainPorts
  readonly image: BuiltImage
}

/** Of a domain of its own. */
export function domainSpec(): DomainSpec {
  return {
    uuid: randomUUID(),
    type: 'pvh',
    vcpus: 1,
    memoryKiB: MEMORY_KIB,
    maxMemoryKiB: MEMORY_KIB,
    maxEvtchnPort: 127,
    maxGrantFrames: -1,
    maxMaptrackFrames: -1,
  }
}

/** A kernel that runs the machine's native guests. @returns its path */
export function writeKernel(dir: string): string {
  const kernel = join(dir, 'kernel')
  writeFileSync(kernel, '#!xcl-guest\n')
  return kernel
}

/** @param cmdline says what the guest does: `script=ask` */
export async function makeDomain(
  builder: DomainBuilder,
  kernel: string,
  cmdline: string,
): Promise<MadeDomain> {
  const spec = domainSpec()
  const domid = await builder.create(spec)
  const ports = await builder.prepare(domid, spec)
  const image = await builder.build(domid, spec, ports, { kernel, ramdisk: undefined, cmdline })
  return { domid, uuid: spec.uuid, ports, image }
}
