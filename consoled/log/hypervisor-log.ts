import type { DomainControl } from '../../native/hypervisor.ts'
import type { Logger } from '../../native/os/log.ts'
import { XenError } from '../../native/xen-error.ts'
import { LineStamps, type StampTime } from './line-stamps.ts'
import type { LogFile, LogFiles } from './log-files.ts'

/** What is stamped in one piece: stamped, it still fits into the arena. */
const PIECE_BYTES = 8192

/** Xen's own console, copied to `hypervisor.log` as it grows. */
export class HypervisorLog {
  readonly #domains: Pick<DomainControl, 'readConsoleRing'>
  readonly #files: LogFiles
  readonly #file: LogFile
  readonly #stamps: LineStamps | undefined
  readonly #time: StampTime
  readonly #log: Logger
  #index = 0

  constructor(
    domains: Pick<DomainControl, 'readConsoleRing'>,
    files: LogFiles,
    path: string,
    withTimestamps: boolean,
    time: StampTime,
    log: Logger,
  ) {
    this.#domains = domains
    this.#files = files
    this.#file = files.file(path)
    this.#stamps = withTimestamps ? new LineStamps() : undefined
    this.#time = time
    this.#log = log
    this.#file.isReady()
  }

  /** Takes everything that Xen has said since the last call; to be called at VIRQ_CON_RING. */
  copy(): void {
    try {
      for (;;) {
        const { bytes, nextIndex } = this.#domains.readConsoleRing(this.#index)
        if (bytes.length === 0) return
        this.#index = nextIndex
        if (this.#stamps === undefined) this.#file.append(bytes, 0, bytes.length)
        else this.#appendStamped(this.#stamps, bytes)
      }
    } catch (error) {
      if (!(error instanceof XenError)) throw error
      this.#log.error({ err: error }, "cannot read Xen's console")
    }
  }

  /** Closes the file and opens it again. */
  reopen(): void {
    this.#file.close()
    this.#file.isReady()
  }

  #appendStamped(stamps: LineStamps, bytes: Uint8Array): void {
    const files = this.#files
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const end = Math.min(bytes.length, at + PIECE_BYTES)
      const room = files.room(LineStamps.room(end - at))
      const stamp = this.#time.stamp()
      this.#file.appendMade(room, stamps.stamp(bytes, at, end, stamp, files.arena, room))
    }
  }
}
