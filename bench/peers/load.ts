/** The load's process for one daemon: commands in, outcomes out, one after the other. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { type Outcome, outcomeFrom } from './outcome.ts'

/** What the load keeps to by itself, and then some: beyond it the load hangs as well. */
const GRACE_MS = 10_000

export class Load {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: Interface
  #answer: (outcome: Outcome) => void = () => undefined
  #end: Outcome | undefined
  #isGone = false

  /** @param pid of the daemon, whose CPU time is measured */
  constructor(program: string, socketPath: string, pid: number) {
    this.#child = spawn(program, [socketPath, String(pid)], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = createInterface({ input: this.#child.stdout })
    this.#lines.on('line', (line) => this.#answer(outcomeFrom(line)))
    const gone = (): void => {
      this.#end ??= { kind: 'failed', why: 'the load has ended' }
      this.#isGone = true
      this.#answer(this.#end)
    }
    this.#child.once('close', gone).once('error', gone)
    this.#child.stdin.on('error', () => undefined)
  }

  /** @param limitS what the load gives up after, which the command gets as well */
  async run(command: string, limitS: number): Promise<Outcome> {
    if (this.#end !== undefined) return this.#end
    return await new Promise((resolve) => {
      const timer = setTimeout(() => this.#giveUp(), limitS * 1000 + GRACE_MS)
      this.#answer = (outcome) => {
        clearTimeout(timer)
        this.#answer = () => undefined
        resolve(outcome)
      }
      this.#child.stdin.write(`${command} limit=${limitS}\n`)
    })
  }

  /** It waits where no limit ends it: for a connection that a busy daemon does not take. */
  #giveUp(): void {
    this.#end = { kind: 'tooSlow', why: 'no connection was taken' }
    this.#answer(this.#end)
    this.#child.kill('SIGKILL')
  }

  async stop(): Promise<void> {
    if (this.#isGone) return
    const closed = new Promise((resolve) => this.#child.once('close', resolve))
    this.#child.kill('SIGKILL')
    await closed
  }
}
