import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/**
 * Commands to a simulated machine for whoever must not let the event loop turn meanwhile: this thread stands
 * still until the machine has answered, and with it every daemon in this process.
 */
export class BlockingControl {
  readonly #program: string
  readonly #controlPath: string

  /** Compiles machine-command.c into the folder. */
  constructor(folder: string, controlPath: string) {
    this.#program = join(folder, 'machine-command')
    this.#controlPath = controlPath
    const source = join(import.meta.dirname, 'machine-command.c')
    execFileSync(process.env.CC ?? 'cc', ['-O2', '-o', this.#program, source])
  }

  /**
   * @returns the lines of the answer
   * @throws Error with the machine's sentence
   */
  command(line: string): string[] {
    const said = execFileSync(this.#program, [this.#controlPath, line], { encoding: 'utf8' })
    const lines = said.trimEnd().split('\n')
    const last = lines.pop()
    if (last !== 'ok') throw new Error(`${line}: ${last}`)
    return lines
  }
}
