import type { XenstoreClient } from '../../../lixs/client/client.ts'
import { XenstoreConnectionLost } from '../../../lixs/client/errors.ts'
import type { BlockDevice, Dom0Devices } from '../../../native/hypervisor.ts'
import { XenError } from '../../../native/xen-error.ts'

const BACKENDS = '/local/domain/0/backend'
const LOOP_MAJOR = 7

/** How a back end misbehaves. */
export type Fault = 'silent' | 'closes' | 'never-closes'

/**
 * The kernel of dom0 in memory: bridges, loop devices, and back ends that take devices up, and close
 * them when the guests' halves go, as Linux's do.
 */
export class TestDom0 {
  /** Ports by bridge. */
  readonly bridges = new Map<string, Set<string>>([['xenbr0', new Set()]])
  readonly interfaces = new Set<string>()
  /** Files that can be opened. */
  readonly files = new Set<string>(['/img/a', '/img/b'])
  /** Paths of files that loop devices are over, by minor number. */
  readonly loops = new Map<number, string>()
  readonly calls: string[] = []
  /** By the kind of device. */
  readonly faults = new Map<string, Fault>()
  /** Errno with which a call fails. */
  readonly failing = new Map<keyof Dom0Devices, string>()
  /** Paths of the back ends that serve. */
  readonly #served = new Set<string>()
  #lastLoop = 0
  #store: XenstoreClient | undefined

  readonly devices: Dom0Devices = {
    joinBridge: (name, bridge) => {
      this.#call('joinBridge', 'join_bridge', `${name} ${bridge}`)
      const ports = this.bridges.get(bridge)
      if (ports === undefined || !this.interfaces.has(name)) throw failure('join_bridge', 'ENODEV')
      ports.add(name)
    },
    openDisk: (path, isReadOnly) => {
      this.#call('openDisk', 'open_disk', `${path} ${isReadOnly ? 'r' : 'w'}`)
      if (path.startsWith('/dev/')) return { major: 254, minor: 300 + path.length }
      if (!this.files.has(path)) throw failure('open_disk', 'ENOENT')
      const minor = ++this.#lastLoop
      this.loops.set(minor, path)
      return { major: LOOP_MAJOR, minor }
    },
    closeDisk: ({ major, minor }: BlockDevice, path) => {
      this.#call('closeDisk', 'close_disk', `${major}:${minor} ${path}`)
      if (major === LOOP_MAJOR && this.loops.get(minor) === path) this.loops.delete(minor)
    },
  }

  /** Begins to serve devices, as dom0's kernel with its modules loaded. */
  async run(store: XenstoreClient): Promise<void> {
    this.#store = store
    await store.watch(BACKENDS, (path) => {
      const [kind, domid, devid] = path.slice(BACKENDS.length + 1).split('/')
      if (kind === undefined || kind === 'console' || domid === undefined) return
      for (const backend of devid === undefined ? this.#served : [`${kind}/${domid}/${devid}`]) {
        if (backend.startsWith(`${kind}/${domid}/`)) this.#look(store, backend).catch(ignoreLoss)
      }
    })
  }

  /** All front ends connect. */
  async connect(): Promise<void> {
    for (const backend of this.#served)
      await this.#store?.write(`${BACKENDS}/${backend}/state`, '4')
  }

  /** What serves, on which bridges, over which files. */
  leftovers(): string[] {
    return [
      ...this.#served,
      ...this.interfaces,
      ...[...this.bridges.values()].flatMap((ports) => [...ports]),
      ...this.loops.values(),
    ]
  }

  async #look(store: XenstoreClient, backend: string): Promise<void> {
    const path = `${BACKENDS}/${backend}`
    const [state, frontend] = await Promise.all([
      store.read(`${path}/state`),
      store.read(`${path}/frontend`),
    ])
    if (state === undefined) return this.#unplug(backend)
    if (state !== '1' || frontend === undefined || this.#served.has(backend)) return
    this.#served.add(backend)
    const [kind = ''] = backend.split('/')
    const fault = this.faults.get(kind)
    if (fault === 'silent') return
    if (fault === 'closes') {
      await store.write(`/local/domain/0/error/backend/${backend}/error`, '2 told to fail')
      return await store.write(`${path}/state`, '6')
    }
    if (kind === 'vif') this.interfaces.add(interfaceOf(backend))
    // Linux takes a disk up later; nothing says so.
    else if ((await store.read(`${path}/physical-device`)) === undefined) return
    await store.write(`${path}/state`, '2')
    await store.watch(frontend, () => {
      this.#frontendChanged(store, backend, frontend).catch(ignoreLoss)
    })
  }

  async #frontendChanged(store: XenstoreClient, backend: string, frontend: string): Promise<void> {
    const state = await store.read(`${frontend}/state`)
    if (state !== undefined || !this.#served.has(backend)) return
    if (this.faults.get(backend.split('/')[0] ?? '') === 'never-closes') return
    this.#unplug(backend)
    if ((await store.read(`${BACKENDS}/${backend}/state`)) === undefined) return
    await store.write(`${BACKENDS}/${backend}/state`, '6')
  }

  #unplug(backend: string): void {
    this.#served.delete(backend)
    if (!backend.startsWith('vif/')) return
    this.interfaces.delete(interfaceOf(backend))
    for (const ports of this.bridges.values()) ports.delete(interfaceOf(backend))
  }

  #call(name: keyof Dom0Devices, op: string, about: string): void {
    this.calls.push(`${name} ${about}`)
    const code = this.failing.get(name)
    if (code !== undefined) throw failure(op, code)
  }
}

function failure(op: string, code: string): XenError {
  return new XenError(op, code, 1, `${op}: ${code}`)
}

/** Tests end while it is at work. */
function ignoreLoss(error: unknown): void {
  if (!(error instanceof XenstoreConnectionLost)) throw error
}

function interfaceOf(backend: string): string {
  const [, domid, devid] = backend.split('/')
  return `vif${domid}.${devid}`
}
