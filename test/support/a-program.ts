import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const MAINS = {
  lixs: new URL('../../lixs/main.ts', import.meta.url),
  consoled: new URL('../../consoled/main.ts', import.meta.url),
  xcld: new URL('../../xcl/main.ts', import.meta.url),
}
// Resolved here: the program may run where no node_modules is near.
const TSX = import.meta.resolve('tsx')

/** How a process ended, and what it said. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** One of our programs as a process of its own. */
export interface ProgramProcess {
  readonly child: ChildProcess
  readonly ended: Promise<Ending>
  /** Settles when a line on stderr matches; fails when the process ends before. */
  said(pattern: RegExp): Promise<void>
}

/** Starts lixs from its sources. */
export function startLixs(args: readonly string[], env: NodeJS.ProcessEnv = {}): ProgramProcess {
  return startProgram('lixs', args, env)
}

/** Starts a program from its sources; where it finds others is only what the arguments say. */
export function startProgram(
  name: keyof typeof MAINS,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): ProgramProcess {
  const { XENSTORED_PATH, XENSTORED_RUNDIR, NOTIFY_SOCKET, JOURNAL_STREAM, ...inherited } =
    process.env
  const child = spawn(process.execPath, ['--import', TSX, fileURLToPath(MAINS[name]), ...args], {
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<Ending>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  return {
    child,
    ended,
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (pattern.test(stderr)) resolve()
        }
        child.stderr.on('data', look)
        look()
        ended.then(({ code }) => reject(new Error(`ended with ${code}: ${stderr}`)))
      }),
  }
}
