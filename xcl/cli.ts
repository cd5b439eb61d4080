/** From what was typed to the command that does it: lookup, options, help, errors. */
import { Command, CommanderError } from 'commander'
import { type CommandSpec, type Terminal, TypedOptions } from './commands/command.ts'
import { attach, goOnWithConsole } from './commands/console.ts'
import { create } from './commands/create.ts'
import { destroy } from './commands/destroy.ts'
import { list } from './commands/list.ts'
import { logs } from './commands/logs.ts'
import { domid, domname } from './commands/naming.ts'
import { pause, unpause } from './commands/pause.ts'
import { reboot, shutdown } from './commands/shutdown.ts'
import { EXIT, errorText, explain, UsageError } from './output/errors.ts'
import type { Toolstack } from './toolstack.ts'

/** In the order in which help shows them. */
export const COMMANDS: readonly CommandSpec[] = [
  create,
  list,
  shutdown,
  reboot,
  destroy,
  pause,
  unpause,
  attach,
  logs,
  domid,
  domname,
  goOnWithConsole,
]

/**
 * Runs what was typed; prints errors, to stdout's reader as JSON when `--json` was given.
 * @returns the exit code
 */
export async function runCommandLine(toolstack: Toolstack, session: Terminal): Promise<number> {
  const { argv } = session.request
  try {
    return await run(toolstack, session, argv)
  } catch (error) {
    const explained = explain(error)
    toolstack.log.debug({ argv, err: error }, 'command failed')
    if (argv.includes('--json')) {
      const { code, sentence: message, failures } = explained
      session.stdout(`${JSON.stringify({ error: { code, message, failures } })}\n`)
    }
    session.stderr(errorText(explained))
    return explained.exitCode
  }
}

async function run(
  toolstack: Toolstack,
  session: Terminal,
  argv: readonly string[],
): Promise<number> {
  const parsed = parse(argv)
  if (parsed.kind === 'command') {
    const { spec, args, options } = parsed
    return await spec.run({ toolstack, session, args, options })
  }
  if (parsed.exitCode === EXIT.done) session.stdout(parsed.text)
  else session.stderr(parsed.text)
  return parsed.exitCode
}

type Parsed =
  | { readonly kind: 'text'; readonly text: string; readonly exitCode: number }
  | {
      readonly kind: 'command'
      readonly spec: CommandSpec
      readonly args: readonly string[]
      readonly options: TypedOptions
    }

/**
 * What is typed when it asks for nothing but text: help or the version. Needs neither Xen nor a
 * toolstack.
 * @throws UsageError also when it asks for more
 */
export function commandLineHelp(argv: readonly string[]): string {
  const parsed = parse(argv)
  if (parsed.kind === 'text') return parsed.text
  throw new UsageError(`${parsed.spec.name} is done by xcld`, 'xcl --help')
}

/** @throws UsageError */
function parse(argv: readonly string[]): Parsed {
  const [first, ...rest] = argv
  if (first === undefined) return { kind: 'text', text: helpText(), exitCode: EXIT.usage }
  if (first === '--version' || first === '-V' || first === 'version') {
    return text(`xcl ${process.env.XCL_VERSION ?? 'development'}\n`)
  }
  if (first === '-h' || first === '--help' || (first === 'help' && rest.length === 0)) {
    return text(helpText())
  }
  if (first.startsWith('-')) throw new UsageError(`unknown option ${first}`, 'xcl --help')
  const spec = findCommand(first === 'help' ? (rest[0] ?? '') : first)
  return parseArguments(spec, first === 'help' ? ['--help'] : rest)
}

function text(text: string): Parsed {
  return { kind: 'text', text, exitCode: EXIT.done }
}

function parseArguments(spec: CommandSpec, argv: readonly string[]): Parsed {
  const command = parserOf(spec)
  let printed = ''
  command.exitOverride().configureOutput({
    writeOut: (text) => {
      printed += text
    },
    writeErr: () => undefined,
  })
  try {
    command.parse(argv, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.code === 'commander.helpDisplayed') return text(printed)
    const [message = ''] = error.message.replace(/^error: /, '').split('\n')
    throw new UsageError(`${spec.name}: ${message}`, `xcl ${spec.name} --help`)
  }
  return { kind: 'command', spec, args: command.args, options: new TypedOptions(command.opts()) }
}

function parserOf(spec: CommandSpec): Command {
  const command = new Command(`xcl ${spec.name}`).summary(spec.summary).description(spec.summary)
  for (const { syntax, help } of spec.parameters) command.argument(syntax, help)
  for (const { flags, help } of spec.options) command.option(flags, help)
  const width = Math.max(...spec.examples.map(({ line }) => line.length)) + 2
  const examples = spec.examples.map(({ line, does }) => `  ${line.padEnd(width)}${does}`)
  if (spec.notes !== undefined) command.addHelpText('after', `\n${spec.notes.join('\n')}`)
  return command
    .allowExcessArguments(false)
    .showSuggestionAfterError()
    .addHelpText('after', `\nExamples:\n${examples.join('\n')}`)
}

/**
 * A command by its name, or the beginning of it when only one begins so, as with xl.
 * @throws UsageError with the nearest name
 */
export function findCommand(typed: string): CommandSpec {
  const exact = COMMANDS.find(({ name }) => name === typed)
  if (exact !== undefined) return exact
  const known = COMMANDS.filter(({ isHidden }) => !isHidden)
  const begun = typed === '' ? [] : known.filter(({ name }) => name.startsWith(typed))
  if (begun.length === 1 && begun[0] !== undefined) return begun[0]
  if (begun.length > 1) {
    throw new UsageError(`"${typed}" may be ${begun.map(({ name }) => name).join(' or ')}`)
  }
  const near = known
    .map(({ name }) => ({ name, distance: editDistance(typed, name) }))
    .sort((a, b) => a.distance - b.distance)[0]
  const isNear = near !== undefined && near.distance <= Math.max(1, Math.floor(typed.length / 3))
  throw new UsageError(
    `there is no command "${typed}"`,
    isNear ? `did you mean ${near.name}?` : 'xcl --help shows the commands',
  )
}

function helpText(): string {
  const known = COMMANDS.filter(({ isHidden }) => !isHidden)
  const width = Math.max(...known.map(({ name }) => name.length)) + 2
  const rows = known.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`)
  return [
    'Usage: xcl COMMAND [ARGUMENT]…',
    '',
    'Creates and runs guests on Xen. A domain is a name, a domid or a uuid.',
    '',
    ...rows,
    '',
    'xcl COMMAND --help shows options and examples; a command may be shortened.',
    'Commands are done by xcld at $XCLD_SOCKET; else by that of a running npm start, when xcl is the',
    'one built beside it; else by the one at /run/xen/xcld.sock, which is started if none runs.',
    'Exit status: 0 done, 1 failed, 2 usage, 3 configuration, 4 no such domain or name taken,',
    '5 refused, 6 no room, 7 timed out, 8 part of a batch failed, 130 interrupted.',
    '',
  ].join('\n')
}

/** Letters to insert, delete or change to come from one word to the other (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const changed = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, changed))
    }
    row = next
  }
  return row[to.length] ?? 0
}
