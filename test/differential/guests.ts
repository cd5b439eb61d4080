import { XS_GET_DOMAIN_PATH } from '../../lixs/wire/ops.ts'
import type { DaemonUnderTest, Guest } from './daemon.ts'
import type { Keeper } from './keeper.ts'
import { Line } from './line.ts'
import type { MachineStep } from './step.ts'

/** Who is not gone in that time is held by the daemon. */
const PATIENCE_MS = 20_000

interface Domain extends Guest {
  readonly line: Line
  isIntroduced: boolean
  hasEnded: boolean
  /** Domids of those whose rights it has. */
  readonly targets: Set<number>
}

/** The domains of a sequence, and what becomes of them. */
export class Guests {
  readonly #daemon: DaemonUnderTest
  readonly #keeper: Keeper
  readonly #onEvent: (on: string, text: string) => void
  readonly #domains = new Map<number, Domain>()

  /** @param onEvent told of each event to `g1` … */
  constructor(
    daemon: DaemonUnderTest,
    keeper: Keeper,
    onEvent: (on: string, text: string) => void,
  ) {
    this.#daemon = daemon
    this.#keeper = keeper
    this.#onEvent = onEvent
  }

  get(domid: number): Guest | undefined {
    return this.#domains.get(domid)
  }

  /** The ring of a domain, if a daemon serves it. */
  lineOf(domid: number): Line | undefined {
    const domain = this.#domains.get(domid)
    return domain?.isIntroduced && !domain.hasEnded ? domain.line : undefined
  }

  /** A daemon serves its ring from now on, or does no more. */
  introduced(domid: number, isIntroduced: boolean): void {
    const domain = this.#domains.get(domid)
    if (domain !== undefined) domain.isIntroduced = isIntroduced
  }

  targeted(domid: number, target: number): void {
    this.#domains.get(domid)?.targets.add(target)
  }

  async befall({ kind, domid }: MachineStep): Promise<void> {
    if (kind === 'make') await this.#make(domid)
    else if (kind === 'destroy') await this.#destroy(domid)
    else await this.#end(domid, kind)
  }

  async destroyAll(): Promise<void> {
    for (const domid of [...this.#domains.keys()]) await this.#destroy(domid)
  }

  /** Lets the last events come to all guests. */
  async hearAll(): Promise<void> {
    for (const domid of this.#domains.keys()) await this.hear(domid)
  }

  /** Lets the last events come to a guest: what is in its ring goes with the ring. */
  async hear(domid: number): Promise<void> {
    await this.lineOf(domid)?.request(XS_GET_DOMAIN_PATH, 0, '0|')
  }

  close(): void {
    for (const { line } of this.#domains.values()) line.close()
  }

  async #make(domid: number): Promise<void> {
    const { machine } = this.#daemon
    if (machine === undefined || this.#domains.has(domid)) return
    const guest = await machine.make(domid)
    const tell = (text: string): void => this.#onEvent(`g${domid}`, text)
    const line = await Line.open(guest.tapPath, tell, this.#daemon.repliesFirst)
    const targets = new Set<number>()
    this.#domains.set(domid, { ...guest, line, isIntroduced: false, hasEnded: false, targets })
  }

  async #destroy(domid: number): Promise<void> {
    const { machine } = this.#daemon
    const domain = this.#domains.get(domid)
    if (domain === undefined || machine === undefined) return
    // Who has a target holds what is left of it, in C xenstored.
    for (const [holder, { targets }] of this.#domains) {
      if (holder !== domid && targets.has(domid)) await this.#destroy(holder)
    }
    await this.hear(domid)
    this.#domains.delete(domid)
    // A daemon may know a domain that was not introduced, and forgets it some time after its death.
    const isKnown = domain.isIntroduced || (await this.#getsKnown(domid, domain))
    const told = isKnown ? this.#keeper.nextRelease() : undefined
    const isGone = await inTime(machine.destroy(domid))
    if ((await told) === false) this.#onEvent(`g${domid}`, 'its end was not told of')
    if (!isGone) throw new Error(`domain ${domid} does not go`)
    await domain.line.close()
  }

  async #getsKnown(domid: number, domain: Domain): Promise<boolean> {
    return !this.#daemon.forgetsReleased && (await this.#keeper.introduce(domid, domain))
  }

  async #end(domid: number, how: 'shutdown' | 'crash'): Promise<void> {
    const { machine } = this.#daemon
    const domain = this.#domains.get(domid)
    // When a daemon notices the end of a domain that was not introduced, nobody can tell.
    const isServed = domain?.isIntroduced && !domain.hasEnded
    if (!isServed || machine === undefined) return
    await this.hear(domid)
    domain.hasEnded = true
    const told = this.#keeper.nextRelease()
    await machine.end(domid, how)
    if (!(await told)) this.#onEvent(`g${domid}`, 'its end was not told of')
  }
}

async function inTime(done: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), PATIENCE_MS)
  })
  const isDone = await Promise.race([done.then(() => true), late])
  clearTimeout(timer)
  return isDone
}
