/**
 * Commands to the daemon itself, as `xenstore-control` sends them. Each group of them is a file of its
 * own (…-commands.ts); the daemon puts the groups together.
 *
 * @see docs/misc/xenstore.txt, CONTROL
 */
import {
  type ControlAnswer,
  type ControlCommand,
  type ControlRequest,
  INVALID,
  linesAnswer,
} from './command.ts'

const NAME_COLUMNS = 15

/** All commands by name. */
export class Control {
  readonly #commands: ReadonlyMap<string, ControlCommand>

  /** @param groups no two commands of the same name */
  constructor(groups: readonly (readonly ControlCommand[])[]) {
    const help: ControlCommand = { name: 'help', parameters: '', run: (words) => this.#help(words) }
    const commands = [help, ...groups.flat()].sort((a, b) => (a.name < b.name ? -1 : 1))
    this.#commands = new Map(commands.map((command) => [command.name, command]))
  }

  /** @param words what came behind the command's name */
  run(command: string, words: readonly string[], request: ControlRequest): ControlAnswer {
    return this.#commands.get(command)?.run(words, request) ?? INVALID
  }

  #help(words: readonly string[]): ControlAnswer {
    if (words.length !== 0) return INVALID
    const lines = [...this.#commands.values()].map(({ name, parameters }) =>
      `${name.padEnd(NAME_COLUMNS)} ${parameters}`.trimEnd(),
    )
    return linesAnswer(lines)
  }
}
