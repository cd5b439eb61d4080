import type { DomainControl } from '../../native/hypervisor.ts'
import type { Logger } from '../../native/os/log.ts'
import { XenError } from '../../native/xen-error.ts'
import { LineStamps } from './line-stamps.ts'
import type { LogFile } from './log-files.ts'

/** Xen's own console, copied to `hypervisor.log` as it grows. */
export class HypervisorLog {
  readonly #domains: Pick<DomainControl, 'readConsoleRing'>
  readonly #file: LogFile
  readonly #stamps: LineStamps | undefined
  readonly #clock: () => Date
  readonly #log: Logger
  #index = 0

  constructor(
    domains: Pick<DomainControl, 'readConsoleRing'>,
    file: LogFile,
    withTimestamps: boolean,
    clock: () => Date,
    log: Logger,
  ) {
    this.#domains = domains
    this.#file = file
    this.#stamps = withTimestamps ? new LineStamps() : undefined
    this.#clock = clock
    this.#log = log
    file.open()
  }

  /** Takes everything that Xen has said since the last call; to be called at VIRQ_CON_RING. */
  copy(): void {
    try {
      for (;;) {
        const { bytes, nextIndex } = this.#domains.readConsoleRing(this.#index)
        if (bytes.length === 0) return
        this.#index = nextIndex
        const out = this.#stamps?.stamp(bytes, 0, bytes.length, this.#clock()) ?? bytes
        this.#file.append(out, 0, out.length)
      }
    } catch (error) {
      if (!(error instanceof XenError)) throw error
      this.#log.error({ err: error }, "cannot read Xen's console")
    }
  }

  /** Closes the file and opens it again. */
  reopen(): void {
    this.#file.close()
    this.#file.open()
  }
}
