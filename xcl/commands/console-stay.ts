/**
 * What keeps somebody at a guest's console: when consoled was restarted, or the guest was rebooted, the
 * client is attached again.
 */
import type { ShutdownReason } from '../../native/hypervisor.ts'
import type { Attachment } from '../daemon/session.ts'
import { EXIT, Refused } from '../output/errors.ts'
import { harmless } from '../output/harmless.ts'
import type { Toolstack } from '../toolstack.ts'
import type { Terminal } from './command.ts'
import {
  type AttachedGuest,
  attachNewConsole,
  type ConsoleOptions,
  consoledAnswers,
  consoledTarget,
  pause,
} from './console-target.ts'

/** Between two looks. */
const LOOK_AGAIN_MS = 100
/** So long a daemon that restarts is away without a word. */
const SILENCE_MS = 1000
/** A guest may make consoled let go of everybody, as often as it likes: who comes back so soon waits then. */
const SHORT_MS = 1000
const MOST_SHORT = 3
/** How long a domain that lives may be refused: the console is just going, or consoled just coming. */
const REFUSED_MS = 5000
/** How long another toolstack may take to start a guest again: one that asked for it; any. */
const REBOOT_MS = 30_000
const RETURN_MS = 3000

/**
 * Settles when nobody is attached any more, with the exit code.
 * @throws Refused
 */
export async function stayAttached(
  toolstack: Toolstack,
  session: Terminal,
  guest: AttachedGuest,
  options: ConsoleOptions,
  attachment: Attachment,
): Promise<number> {
  let there = { guest, attachment }
  let short = 0
  for (;;) {
    const beginMs = toolstack.clock()
    const end = await there.attachment.ended
    short = toolstack.clock() - beginMs < SHORT_MS ? short + 1 : 0
    if (short > MOST_SHORT) await pause(toolstack, LOOK_AGAIN_MS, session.signal)
    if (session.signal.aborted) return EXIT.interrupted
    if (end.kind === 'left') return EXIT.done
    const again = await attachAgain(toolstack, session, there.guest, options, end.position)
    if (typeof again === 'number') return again
    there = again
  }
}

/**
 * Goes on with a console that ended.
 * @param position of the byte that would have come next; undefined: it was a terminal device
 * @returns the exit code when it is over
 */
export async function attachAgain(
  toolstack: Toolstack,
  session: Terminal,
  guest: AttachedGuest,
  options: ConsoleOptions,
  position: number | undefined,
): Promise<{ readonly guest: AttachedGuest; readonly attachment: Attachment } | number> {
  const search = new Search(toolstack, session, guest, options, position)
  while (!session.signal.aborted) {
    const found = await search.look()
    if (found !== undefined) return found
    await pause(toolstack, LOOK_AGAIN_MS, session.signal)
  }
  return EXIT.interrupted
}

/** One sentence in the midst of a guest's output. */
function say(session: Terminal, sentence: string): void {
  const [isRaw] = session.request.isTerminal
  const text = harmless(sentence)
  session.stderr(isRaw ? `\r\nxcl: ${text}\r\n` : `xcl: ${text}\n`)
}

class Search {
  readonly #toolstack: Toolstack
  readonly #session: Terminal
  readonly #guest: AttachedGuest
  readonly #options: ConsoleOptions
  readonly #position: number | undefined
  readonly #beginMs: number
  /** The first look finds out why the domain ended, while Xen still knows. */
  #reason: ShutdownReason | undefined
  #isDaemonAway = false
  #hasComplained = false
  /** Since when a domain that lives is refused. */
  #refusedSinceMs: number | undefined

  constructor(
    toolstack: Toolstack,
    session: Terminal,
    guest: AttachedGuest,
    options: ConsoleOptions,
    position: number | undefined,
  ) {
    this.#toolstack = toolstack
    this.#session = session
    this.#guest = guest
    this.#options = options
    this.#position = position
    this.#beginMs = toolstack.clock()
  }

  /** @returns undefined when there is nothing yet */
  async look(): Promise<
    { readonly guest: AttachedGuest; readonly attachment: Attachment } | number | undefined
  > {
    const info = this.#toolstack.hypervisor.domains.info(this.#guest.domid)
    const isSame = info?.uuid === this.#guest.uuid
    if (isSame) this.#reason ??= info.shutdownReason
    if (isSame && !info.isDying) return await this.#lookAtConsoled()
    const next = this.#successor()
    if (next !== undefined) return await this.#attachTo(next)
    return this.#mayComeBack() ? undefined : this.#over()
  }

  /** The domain is there: it is the daemon that went, or that let go of us. */
  async #lookAtConsoled(): Promise<
    { readonly guest: AttachedGuest; readonly attachment: Attachment } | number | undefined
  > {
    if (this.#position === undefined) return this.#closedByDaemon()
    if (!(await consoledAnswers(this.#toolstack))) {
      this.#isDaemonAway = true
      if (this.#elapsedMs() >= SILENCE_MS && !this.#hasComplained) {
        this.#hasComplained = true
        say(this.#session, 'consoled has gone away; waiting for it')
      }
      return undefined
    }
    const guest = this.#guest
    try {
      const target = consoledTarget(this.#toolstack, guest, this.#options, this.#position)
      const attachment = await this.#session.attach(target)
      this.#tellGap(attachment)
      return { guest, attachment }
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      const nowMs = this.#toolstack.clock()
      this.#refusedSinceMs ??= nowMs
      if (nowMs - this.#refusedSinceMs >= REFUSED_MS) throw error
      return undefined
    }
  }

  #tellGap({ leftOut }: Attachment): void {
    const gap =
      leftOut === 'some'
        ? 'output may have been left out'
        : `${leftOut ?? 0} bytes of output were left out`
    if (this.#isDaemonAway) {
      const more = leftOut === undefined ? '' : `; ${gap}`
      say(this.#session, `consoled is back, and so are you${more}`)
    } else if (leftOut === 'some') say(this.#session, gap)
    else if (leftOut !== undefined) say(this.#session, `this terminal was too slow; ${gap}`)
  }

  /** The domain that has its name by now. */
  #successor(): AttachedGuest | undefined {
    const { names, hypervisor, lifeCycle } = this.#toolstack
    const { name, domid: old, uuid: oldUuid } = this.#guest
    const domid = name === undefined ? undefined : names.domidOf(name)
    const info = domid === undefined ? undefined : hypervisor.domains.info(domid)
    if (info === undefined || info.isDying) return undefined
    const { domid: number, uuid } = info
    if (number === old && uuid === oldUuid) return undefined
    return { domid: number, uuid, name, isManaged: lifeCycle.managed(number)?.uuid === uuid }
  }

  async #attachTo(
    guest: AttachedGuest,
  ): Promise<{ readonly guest: AttachedGuest; readonly attachment: Attachment }> {
    say(this.#session, `${guest.name} was rebooted and is domain ${guest.domid} now`)
    const attachment = await attachNewConsole(this.#toolstack, this.#session, guest, this.#options)
    return { guest, attachment }
  }

  #mayComeBack(): boolean {
    const { restarts, names } = this.#toolstack
    const { name, isManaged } = this.#guest
    if (name === undefined) return false
    if (restarts.isComing(name) || names.creationOf(name) !== undefined) return true
    if (isManaged) return false
    const patienceMs =
      this.#reason === undefined ? RETURN_MS : this.#reason === 'reboot' ? REBOOT_MS : 0
    return this.#elapsedMs() < patienceMs
  }

  /** A terminal device that is closed under a living guest. Its number may be somebody else's by now. */
  #closedByDaemon(): number | undefined {
    if (this.#elapsedMs() < SILENCE_MS) return undefined
    say(this.#session, `the terminal of ${this.#called} was closed by the console daemon`)
    return EXIT.done
  }

  #over(): number {
    say(this.#session, `${this.#called} has ended`)
    return EXIT.done
  }

  get #called(): string {
    return this.#guest.name ?? `domain ${this.#guest.domid}`
  }

  #elapsedMs(): number {
    return this.#toolstack.clock() - this.#beginMs
  }
}
