/**
 * As much of XenStore as dom0's kernel and one guest need for their devices: keys, watches, and transactions that
 * always succeed. What it keeps can be handed to the next one, as by a daemon that has kept its store.
 */
import type { Domid, EvtchnPort, Hypervisor } from '../../../native/hypervisor.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'
import {
  type Batch,
  CONNECTION_DOMID,
  CONNECTION_WORDS,
  type ConnectionId,
  type RingSet,
} from '../../../native/ring-set.ts'
import { recordsOf } from '../batch-records.ts'
import { STORE_PAGE } from '../contract/machine.ts'

const DIRECTORY = 1
const READ = 2
const WATCH = 4
const TRANSACTION_START = 6
const WRITE = 11
const WATCH_EVENT = 15
const ERROR = 16

interface Watch {
  readonly connection: ConnectionId
  readonly path: string
  /** As it was asked for, which is how its events name it. */
  readonly asked: string
  readonly token: string
}

export class SmallStore {
  readonly keys: Map<string, string>
  /** `TYPE PATH` of all that was asked. */
  readonly asked: string[] = []
  /** Who asks one of these gets no answer from then on. */
  readonly unanswered = new Set<string>()
  readonly #rings: RingSet
  readonly #watches: Watch[] = []
  readonly #silentTo = new Set<ConnectionId>()
  readonly #guests = new Map<Domid, ConnectionId>()
  #transactions = 0
  #isClosed = false
  #changed: () => void = () => {}

  constructor(xen: Hypervisor, keys = new Map<string, string>()) {
    this.keys = keys
    const memory = StateMemory.anonymous(2 ** 26)
    const sizes = { maxConnections: 64, maxQueuedBytes: 2 ** 22 }
    this.#rings = xen.rings('xenstore', { memory, ...sizes, virqs: [] })
    this.#rings.onBatch((batch) => this.#serve(batch))
    this.#rings.attachSelf()
  }

  attach(domid: Domid, port: EvtchnPort): void {
    this.#guests.set(domid, this.#rings.attach(domid, STORE_PAGE, port, 0))
  }

  /** It has the guest's page no more. */
  detach(domid: Domid): void {
    const connection = this.#guests.get(domid)
    if (connection !== undefined) this.#rings.detach(connection)
  }

  write(path: string, value: string): void {
    this.#write(path, value)
    this.#rings.flush()
  }

  /** With all that is below it. */
  remove(path: string): void {
    for (const key of this.keys.keys()) if (key.startsWith(`${path}/`)) this.keys.delete(key)
    this.#announceAll(path)
    this.#rings.flush()
  }

  /** Settles when it holds, looked at after each batch of requests. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
  }

  /** The daemon ends; its keys stay. May be called again. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#rings.close()
  }

  #serve(batch: Batch): void {
    for (const { connection, type, reqId, txId, payload } of recordsOf(batch)) {
      if (type < 0) continue
      const answer = this.#answer(connection, type, payload.toString('latin1'))
      if (answer !== undefined) this.#put(connection, answer[0], reqId, txId, answer[1])
      if (type === WATCH) this.#announce(this.#watches.at(-1), '')
    }
    // Not from within the batch: its answers are still in the buffer that the next ones are put into.
    setImmediate(() => this.#changed())
  }

  #answer(connection: ConnectionId, type: number, payload: string): [number, string] | undefined {
    const [asked = '', rest = ''] = payload.split('\0')
    const owner = this.#rings.connections[connection * CONNECTION_WORDS + CONNECTION_DOMID]
    const path = asked.startsWith('/') ? asked : `/local/domain/${owner}/${asked}`
    this.asked.push(`${type} ${path}`)
    if (this.unanswered.has(`${type} ${path}`)) this.#silentTo.add(connection)
    if (this.#silentTo.has(connection)) return undefined
    switch (type) {
      case READ: {
        const value = this.keys.get(path)
        return value === undefined ? [ERROR, 'ENOENT\0'] : [READ, value]
      }
      case DIRECTORY: {
        const names = this.#children(path)
        return names.length === 0 ? [ERROR, 'ENOENT\0'] : [DIRECTORY, `${names.join('\0')}\0`]
      }
      case TRANSACTION_START:
        return [type, `${++this.#transactions}\0`]
      case WATCH:
        this.#watches.push({ connection, path, asked, token: rest })
        return [type, 'OK\0']
      case WRITE:
        this.#write(path, rest)
        return [type, 'OK\0']
      default:
        return [type, 'OK\0']
    }
  }

  #children(path: string): string[] {
    const below = [...this.keys.keys()].filter((key) => key.startsWith(`${path}/`))
    return [...new Set(below.map((key) => key.slice(path.length + 1).split('/')[0] ?? ''))]
  }

  #write(path: string, value: string): void {
    this.keys.set(path, value)
    this.#announceAll(path)
  }

  #announceAll(path: string): void {
    for (const watch of this.#watches) {
      const isBelow = path === watch.path || path.startsWith(`${watch.path}/`)
      if (isBelow) this.#announce(watch, path.slice(watch.path.length))
    }
  }

  #announce(watch: Watch | undefined, below: string): void {
    if (watch === undefined) return
    const { connection, asked, token } = watch
    this.#put(connection, WATCH_EVENT, 0, 0, `${asked}${below}\0${token}\0`)
  }

  #put(connection: ConnectionId, type: number, reqId: number, txId: number, text: string): void {
    const { output } = this.#rings
    const bytes = Buffer.from(text, 'latin1')
    output.bytes.set(bytes, output.begin(connection, type, reqId, txId, 0))
    output.end(bytes.length)
  }
}
