import type { ConsoleStates } from './console-states.ts'
import type { StampTime } from './line-stamps.ts'
import type { LogFiles } from './log-files.ts'
import type { LogListing } from './log-listing.ts'

/** How bytes are changed on their way into a log. */
interface LogFormat {
  readonly withTimestamps: boolean
  /** --replace-escape: ESC becomes a full stop, so that `cat` of a log cannot drive a terminal. */
  readonly replacesEscape: boolean
}

/** What the logs of all guests share. */
export interface GuestLogServices {
  readonly files: LogFiles
  readonly dir: string
  readonly format: LogFormat
  readonly time: StampTime
  readonly states: ConsoleStates
  readonly listing: LogListing
}
