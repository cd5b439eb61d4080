/** People who look at consoles: each attaches to one, looks for a while, and goes on to another. */
import { createConnection, type Socket } from 'node:net'
import { attachRequest, parseAttachAnswer } from '../../consoled/attach/client.ts'
import type { ConsoleGuest } from './host.ts'
import { LineOrder } from './logs.ts'

const LOOK_MS = { least: 500, most: 2500 } as const
/** Before another try, when there is nobody to attach to. */
const PAUSE_MS = 100
/** Guests are gone through in steps of this: a prime, so that all are seen. */
const STRIDE = 7919

export interface ViewersFindings {
  readonly attached: number
  /** Refused, or broken off. */
  readonly failed: number
  readonly lines: number
  readonly outOfOrder: number
  /** Of those who come back to where they were when somebody breaks off. */
  readonly returning: ReturningFindings
}

interface ReturningFindings {
  readonly times: number
  readonly lines: number
  readonly outOfOrder: number
}

/** What somebody has seen of a guest. */
interface Seen {
  readonly order: LineOrder
  /** Of the next byte; undefined: nothing was seen yet. */
  position: number | undefined
}

export class Viewers {
  readonly #socketPath: string
  readonly #guests: readonly ConsoleGuest[]
  readonly #sockets = new Set<Socket>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #next = 0
  #attached = 0
  #failed = 0
  #lines = 0
  #outOfOrder = 0
  #isStopped = false
  readonly #returning = { times: 0, lines: 0, outOfOrder: 0 }

  constructor(count: number, socketPath: string, guests: readonly ConsoleGuest[]) {
    this.#socketPath = socketPath
    this.#guests = guests
    for (let i = 0; i < count; i++) this.#look(i)
  }

  /** Lets go of all consoles. */
  stop(): ViewersFindings {
    this.#isStopped = true
    for (const timer of this.#timers) clearTimeout(timer)
    for (const socket of this.#sockets) socket.destroy()
    return {
      attached: this.#attached,
      failed: this.#failed,
      lines: this.#lines,
      outOfOrder: this.#outOfOrder,
      returning: { ...this.#returning },
    }
  }

  #look(viewer: number): void {
    if (this.#isStopped) return
    const guest = this.#guests[(this.#next++ * STRIDE) % this.#guests.length]
    if (guest === undefined) return
    this.#lookAt(viewer, guest, { order: new LineOrder(), position: undefined })
  }

  #lookAt(viewer: number, guest: ConsoleGuest, seen: Seen): void {
    if (this.#isStopped) return
    const socket = createConnection(this.#socketPath)
    const { order, position: from } = seen
    const before = { lines: order.lines, outOfOrder: order.outOfOrder }
    const comesBack = viewer % 2 === 1
    let head = Buffer.alloc(0)
    let isAttached = false
    let isDone = false
    this.#sockets.add(socket)
    // As xcl console asks.
    const { domid, uuid } = guest
    socket.write(attachRequest(domid, { writes: 'no', isExact: comesBack, from, uuid }))
    socket.on('data', (bytes: Buffer) => {
      if (isAttached) return see(seen, bytes)
      head = Buffer.concat([head, bytes])
      const answer = parseAttachAnswer(head)
      if (answer === undefined) return
      if (answer.kind === 'error') return socket.destroy()
      isAttached = true
      this.#attached++
      if (from !== undefined) this.#returning.times++
      seen.position = Number.parseInt(answer.text, 10)
      see(seen, head.subarray(answer.length))
      this.#after(lookMs(viewer, this.#next), () => {
        isDone = true
        socket.destroy()
      })
    })
    // What ended it is told by how far it came.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#sockets.delete(socket)
      const lines = order.lines - before.lines
      const outOfOrder = order.outOfOrder - before.outOfOrder
      this.#lines += lines
      this.#outOfOrder += outOfOrder
      if (from !== undefined) {
        this.#returning.lines += lines
        this.#returning.outOfOrder += outOfOrder
      }
      if (isDone) return this.#look(viewer)
      if (!this.#isStopped) this.#failed++
      const stays = comesBack && seen.position !== undefined
      this.#after(PAUSE_MS, () => (stays ? this.#lookAt(viewer, guest, seen) : this.#look(viewer)))
    })
  }

  #after(ms: number, run: () => void): void {
    if (this.#isStopped) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, ms)
    this.#timers.add(timer)
  }
}

function see(seen: Seen, bytes: Buffer): void {
  seen.order.add(bytes.toString('latin1'))
  seen.position = ((seen.position ?? 0) + bytes.length) >>> 0
}

/** Different for each look, the same in each run. */
function lookMs(viewer: number, look: number): number {
  const { least, most } = LOOK_MS
  return least + ((viewer * 611_953 + look * STRIDE) % (most - least))
}
