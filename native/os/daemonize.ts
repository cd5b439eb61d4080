/**
 * Into the background, by starting the program once more.
 *
 * ```
 * program ─ spawn detached, one more environment variable ─► program in the background
 *    │                                                          │ starts to serve
 *    │ ◄──────── ready, or the sentence it failed with ─────────┤
 *  leaves with 0, or with the child's exit code                 ▼
 * ```
 *
 * Who starts a daemon and waits for it (an init script does) so learns whether it serves. Node
 * cannot fork: its threads would be gone in the child.
 */
import { spawn } from 'node:child_process'

const BACKGROUND = 'XCL_IN_BACKGROUND'

type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'ended'; readonly code: number; readonly sentence: string }

/** How the start of the background process ended. */
interface BackgroundStart {
  /** Exit code to leave with. */
  readonly code: number
  /** What to tell the person; empty when there is nothing to say. */
  readonly sentence: string
  readonly pid: number | undefined
}

/** Is this the background process? */
export function isInBackground(env: NodeJS.ProcessEnv = process.env): boolean {
  return env[BACKGROUND] === '1'
}

/** Starts this program again in the background; settles once it serves, or has failed. */
export function startInBackground(argv: readonly string[]): Promise<BackgroundStart> {
  const script = process.argv[1]
  const child = spawn(
    process.execPath,
    [...process.execArgv, ...(script === undefined ? [] : [script]), ...argv],
    {
      detached: true,
      // No terminal, and no pipe of the caller's: a script that reads our output would never end.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: { ...process.env, [BACKGROUND]: '1' },
    },
  )
  return new Promise((resolve) => {
    child.once('message', (report: Report) => {
      child.disconnect()
      child.unref()
      resolve(
        report.kind === 'ready'
          ? { code: 0, sentence: '', pid: child.pid }
          : { code: report.code, sentence: report.sentence, pid: undefined },
      )
    })
    child.once('error', (error) => {
      resolve({ code: 1, sentence: `cannot start: ${error.message}`, pid: undefined })
    })
    child.once('exit', (code, signal) => {
      const how = signal === null ? `with code ${code}` : `by ${signal}`
      const sentence = `the background process ended ${how} before it was ready`
      resolve({ code: code || 1, sentence, pid: undefined })
    })
  })
}

/** For the background process: it serves, so the starter may leave. */
export function reportReady(): void {
  report({ kind: 'ready' })
}

/** For the background process: it will not serve. Settles when the starter has been told. */
export function reportEnded(code: number, sentence: string): Promise<void> {
  return report({ kind: 'ended', code, sentence })
}

function report(message: Report): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) {
      resolve()
      return
    }
    process.send(message, undefined, {}, () => {
      if (process.connected) process.disconnect()
      resolve()
    })
  })
}
