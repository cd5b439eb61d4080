/**
 * What can go wrong at each step of a creation, on a simulated host whose xcld reaches the store
 * through a proxy.
 */
import { execFileSync } from 'node:child_process'
import { expect } from 'vitest'
import { EXIT } from '../../../xcl/output/errors.ts'
import type { SimulatedHost } from '../../support/a-simulated-host.ts'
import { SETTLED } from './a-quiet-host.ts'

export interface CreateFault {
  /** What happens: goes into the test's name. */
  readonly what: string
  readonly exitCode: number
  /** What the sentence on stderr is to name. */
  readonly says: RegExp
  /** Lines of the guest's configuration. */
  readonly config?: (host: SimulatedHost) => readonly string[]
  /** More words of the command. */
  readonly argv?: readonly string[]
  /** @returns what takes it back, before the next guest is created */
  readonly arrange?: (host: SimulatedHost) => Promise<() => Promise<void>>
  /** Not everything can be undone before it is taken back. */
  readonly isUndoneLater?: boolean
  /** Goes on while the guest is being created. */
  readonly meanwhile?: (host: SimulatedHost) => Promise<void>
}

/** Two of one file, which nobody writes to. */
function twoDisks({ kernel }: SimulatedHost): readonly string[] {
  return [`disk = ["${kernel},raw,xvda,r", "${kernel},raw,xvdb,r"]`]
}

/** By the step's name (CREATE_STEPS in xcl/domain/create.ts). */
export const CREATE_FAULTS: Readonly<Record<string, readonly CreateFault[]>> = {
  name: [
    {
      what: 'another guest has the name',
      exitCode: EXIT.domain,
      says: /the name demo is taken by domain \d+/,
      arrange: async (host) => {
        // Paused, so that it does nothing meanwhile; its rings are taken up all the same.
        await host.create('demo', [], { argv: ['--paused'] })
        await expect.poll(async () => (await host.traces()).pagesHeld, SETTLED).toBe(3)
        return async () => void (await host.xcl(['destroy', 'demo']))
      },
    },
  ],
  claim: [
    {
      what: 'another guest writes to the disk',
      exitCode: EXIT.failed,
      says: /kernel cannot be written to by this guest, for guest \S+ writes to it/,
      config: (host) => [`disk = ["${host.kernel},raw,xvda,w"]`],
      arrange: async (host) => {
        const disk = `disk = ["${host.kernel},raw,xvda,w"]`
        await host.create('other', [disk], { argv: ['--paused'] })
        await expect.poll(async () => (await host.traces()).pagesHeld, SETTLED).toBe(3)
        return async () => void (await host.xcl(['destroy', 'other']))
      },
    },
  ],
  journal: [
    {
      what: 'there is no such kernel',
      exitCode: EXIT.config,
      says: /kernel \S+missing cannot be read: ENOENT/,
      config: (host) => [`kernel = "${host.path('missing')}"`],
    },
    {
      what: 'the journal cannot be written',
      exitCode: EXIT.failed,
      says: /the journal \S+ cannot be written: EFBIG/,
      arrange: async (host) => {
        limitFiles(host, '0')
        return async () => limitFiles(host, 'unlimited')
      },
    },
  ],
  disks: [
    {
      what: 'there is no such disk',
      exitCode: EXIT.config,
      says: /demo: .*missing\.img.*: ENOENT/,
      config: (host) => [`disk = ["${host.path('missing.img')},raw,xvda,rw"]`],
    },
    {
      what: 'dom0 cannot open the second disk',
      exitCode: EXIT.failed,
      says: /cannot open \S+kernel.*: EIO/,
      config: twoDisks,
      arrange: (host) => faults(host, ['open_disk', 'EIO', 1]),
    },
  ],
  domain: [
    {
      what: 'Xen has no memory for another domain',
      exitCode: EXIT.noRoom,
      says: /cannot create a domain: ENOMEM/,
      arrange: (host) => faults(host, ['domain_create', 'ENOMEM']),
    },
    {
      what: 'Xen does not let xcld create domains',
      exitCode: EXIT.refused,
      says: /cannot create a domain: EPERM/,
      arrange: (host) => faults(host, ['domain_create', 'EPERM']),
    },
    {
      what: 'the guest is to have more memory than there is',
      exitCode: EXIT.noRoom,
      says: /demo is to have \d+ MiB of memory, and Xen has \d+ MiB left/,
      config: () => ['memory = 2000000'],
    },
  ],
  prepare: [
    {
      what: 'Xen refuses the vcpus',
      exitCode: EXIT.failed,
      says: /dom \d+: cannot have 1 vcpus: EINVAL/,
      arrange: (host) => faults(host, ['domain_max_vcpus', 'EINVAL']),
    },
    {
      what: 'there is no event channel left',
      exitCode: EXIT.noRoom,
      says: /dom \d+: cannot allocate an event channel: ENOSPC/,
      arrange: (host) => faults(host, ['evtchn_alloc_unbound', 'ENOSPC', 1]),
    },
    {
      what: 'there is no memory for the page tables',
      exitCode: EXIT.noRoom,
      says: /dom \d+: cannot give it \d+ KiB of memory: ENOMEM/,
      arrange: (host) => faults(host, ['set_paging_mempool_size', 'ENOMEM']),
    },
  ],
  image: [
    {
      what: 'the kernel is none',
      exitCode: EXIT.config,
      says: /demo cannot be created from \S+package\.json as pvh: .*ENOEXEC/,
      config: () => [`kernel = "${process.cwd()}/package.json"`],
    },
    {
      what: 'Xen has no memory for the guest',
      exitCode: EXIT.noRoom,
      says: /dom \d+: cannot give it 4096 KiB of memory: ENOMEM/,
      arrange: (host) => faults(host, ['dom_boot_mem_init', 'ENOMEM']),
    },
    {
      what: 'the image cannot be loaded',
      exitCode: EXIT.failed,
      says: /dom \d+: cannot load its image into memory: EFAULT/,
      arrange: (host) => faults(host, ['dom_build_image', 'EFAULT']),
    },
    {
      what: 'the grant table cannot be seeded',
      exitCode: EXIT.failed,
      says: /dom \d+: cannot seed its grant table: EINVAL/,
      arrange: (host) => faults(host, ['dom_gnttab_init', 'EINVAL']),
    },
  ],
  store: [
    {
      what: 'the store opens no transaction',
      exitCode: EXIT.noRoom,
      says: /TRANSACTION_START.*ENOSPC/,
      arrange: async (host) => {
        host.storeProxy.refuse('TRANSACTION_START', '', 'ENOSPC')
        return NOTHING
      },
    },
    {
      what: 'the store refuses one of the nodes',
      exitCode: EXIT.noRoom,
      says: /WRITE \S+\/memory\/target.*ENOSPC/,
      arrange: async (host) => {
        host.storeProxy.refuse('WRITE', '/memory/target', 'ENOSPC')
        return NOTHING
      },
    },
    {
      what: 'the store takes no values of that length',
      exitCode: EXIT.failed,
      says: /WRITE \S+\/image\/cmdline.*E2BIG/,
      arrange: async (host) => {
        host.storeProxy.refuse('WRITE', '/image/cmdline', 'E2BIG')
        return NOTHING
      },
    },
    {
      what: 'lixs is killed before it opens the transaction',
      exitCode: EXIT.failed,
      says: /connection to XenStore has ended/,
      meanwhile: (host) => killLixsAt(host, 'TRANSACTION_START'),
    },
    {
      what: 'lixs is killed before it commits',
      exitCode: EXIT.failed,
      says: /connection to XenStore has ended/,
      meanwhile: (host) => killLixsAt(host, 'TRANSACTION_END'),
    },
  ],
  introduce: [
    {
      what: 'lixs cannot map the ring',
      exitCode: EXIT.failed,
      says: /INTRODUCE \d+.*EINVAL/,
      arrange: (host) =>
        faults(host, ['gnttab_map_grant_ref', 'EINVAL'], ['foreignmemory_map', 'EINVAL']),
    },
    {
      what: 'lixs cannot bind the event channel',
      exitCode: EXIT.failed,
      says: /INTRODUCE \d+/,
      arrange: (host) => faults(host, ['evtchn_bind_interdomain', 'EINVAL']),
    },
    {
      what: 'Xen destroys the domain',
      exitCode: EXIT.failed,
      says: /INTRODUCE \d+/,
      meanwhile: async (host) => {
        const introduction = host.storeProxy.hold('INTRODUCE')
        await introduction.came
        await host.simulator.command(`die domid=${await newestDomid(host)} how=vanish`)
        introduction.release()
      },
    },
    {
      what: 'lixs is killed',
      exitCode: EXIT.failed,
      says: /connection to XenStore has ended/,
      meanwhile: (host) => killLixsAt(host, 'INTRODUCE'),
    },
  ],
  devices: [
    {
      what: 'there is no such bridge',
      exitCode: EXIT.config,
      says: /demo: .*vif\d+\.0.* xenbr9.*: ENODEV/,
      config: () => ['vif = ["bridge=xenbr9"]'],
    },
    {
      what: 'the bridge takes no more',
      exitCode: EXIT.noRoom,
      says: /vif\d+\.0.*xenbr0/,
      config: (host) => ['vif = [""]', `disk = ["${host.kernel},raw,xvda,r"]`],
      arrange: (host) => faults(host, ['join_bridge', 'EXFULL']),
    },
    {
      what: 'lixs is killed when the interface is up',
      exitCode: EXIT.failed,
      says: /connection to XenStore has ended/,
      config: () => ['vif = [""]'],
      meanwhile: (host) => killLixsAt(host, 'WRITE', 'hotplug-status'),
    },
  ],
  attach: [
    {
      what: 'the console cannot be shown',
      exitCode: EXIT.failed,
      says: /there is no terminal to show a console on/,
      argv: ['--console'],
    },
  ],
  record: [
    {
      what: 'the journal cannot be written any more',
      exitCode: EXIT.failed,
      says: /the journal \S+ cannot be written: EFBIG/,
      meanwhile: async (host) => {
        const introduction = host.storeProxy.hold('INTRODUCE')
        await introduction.came
        limitFiles(host, '0')
        introduction.release()
      },
      // Nor can the journal be told that nothing is left: that is tried again.
      arrange: async (host) => async () => limitFiles(host, 'unlimited'),
      isUndoneLater: true,
    },
  ],
  unpause: [
    {
      what: 'Xen does not start the domain',
      exitCode: EXIT.failed,
      says: /dom \d+: cannot unpause: EINVAL/,
      arrange: (host) => faults(host, ['domain_unpause', 'EINVAL']),
    },
  ],
}

const NOTHING = async (): Promise<void> => undefined

/** Calls that fail until it is taken back: their names and errnos, and how many go well before. */
async function faults(
  host: SimulatedHost,
  ...which: readonly (readonly [name: string, errno: string, after?: number])[]
): Promise<() => Promise<void>> {
  for (const [name, errno, after = 0] of which) {
    await host.simulator.fault({ name, errno, after, times: 0 })
  }
  return () => host.simulator.clearFaults()
}

/** How long a file may be that xcld writes to, in bytes, or `unlimited`. */
function limitFiles(host: SimulatedHost, bytes: string): void {
  const { pid } = host.program('xcld').child
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`])
}

/** The store dies while such a request is on its way to it, and another one takes its place. */
async function killLixsAt(host: SimulatedHost, op: string, about = ''): Promise<void> {
  const request = host.storeProxy.hold(op, about)
  await request.came
  await host.killProgram('lixs')
  request.release()
  await host.startProgram('lixs')
}

async function newestDomid(host: SimulatedHost): Promise<number> {
  const { stdout } = await host.xcl(['list', '--json'])
  const domains: { readonly domid: number }[] = JSON.parse(stdout)
  return Math.max(...domains.map(({ domid }) => domid))
}
