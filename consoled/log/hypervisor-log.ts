import type { DomainControl } from '../../native/hypervisor.ts'
import type { Logger } from '../../native/os/log.ts'
import { XenError } from '../../native/xen-error.ts'
import type { JournalLog } from './journal-log.ts'
import { LineStamps, type StampTime } from './line-stamps.ts'
import type { LogFile } from './log-file.ts'
import type { LogFiles } from './log-files.ts'

/** What is stamped in one piece: stamped, it still fits into the arena. */
const PIECE_BYTES = 8192

/** Where Xen's own console goes; at least one of them. */
interface HypervisorSinks {
  readonly files: LogFiles
  /** Undefined: not to a file. */
  readonly path: string | undefined
  readonly journal: JournalLog | undefined
}

const OPENED = Buffer.from('Logfile Opened\n', 'latin1')

/** Xen's own console, copied to `hypervisor.log` and to the journal as it grows. */
export class HypervisorLog {
  readonly #domains: Pick<DomainControl, 'readConsoleRing'>
  readonly #files: LogFiles
  readonly #file: LogFile | undefined
  readonly #journal: JournalLog | undefined
  readonly #stamps: LineStamps | undefined
  readonly #time: StampTime
  readonly #log: Logger
  #index = 0

  constructor(
    domains: Pick<DomainControl, 'readConsoleRing'>,
    { files, path, journal }: HypervisorSinks,
    withTimestamps: boolean,
    time: StampTime,
    log: Logger,
  ) {
    this.#domains = domains
    this.#files = files
    this.#file = path === undefined ? undefined : files.file(path)
    this.#journal = journal
    this.#stamps = withTimestamps ? new LineStamps() : undefined
    this.#time = time
    this.#log = log
    this.#file?.isReady()
    this.#announce()
  }

  /** Takes everything that Xen has said since the last call; to be called at VIRQ_CON_RING. */
  copy(): void {
    try {
      for (;;) {
        const { bytes, nextIndex } = this.#domains.readConsoleRing(this.#index)
        if (bytes.length === 0) return
        this.#index = nextIndex
        this.#append(bytes)
        this.#journal?.append(bytes, 0, bytes.length)
      }
    } catch (error) {
      if (!(error instanceof XenError)) throw error
      this.#log.error({ err: error }, "cannot read Xen's console")
    }
  }

  /** Closes the file and opens it again. */
  reopen(): void {
    this.#file?.close()
    this.#file?.isReady()
    this.#announce()
  }

  close(): void {
    this.#journal?.close()
  }

  #announce(): void {
    if (this.#stamps !== undefined) this.#append(OPENED)
  }

  #append(bytes: Uint8Array): void {
    if (this.#file === undefined) return
    if (this.#stamps === undefined) this.#file.append(bytes, 0, bytes.length)
    else this.#appendStamped(this.#file, this.#stamps, bytes)
  }

  #appendStamped(file: LogFile, stamps: LineStamps, bytes: Uint8Array): void {
    const files = this.#files
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const end = Math.min(bytes.length, at + PIECE_BYTES)
      const room = files.room(LineStamps.room(end - at))
      const stamp = this.#time.stamp()
      file.appendMade(room, stamps.stamp(bytes, at, end, stamp, files.arena, room))
    }
  }
}
