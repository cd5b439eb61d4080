import { readFileSync } from 'node:fs'

/** How a program is started. */
export interface Start {
  /** Without the program. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/**
 * What systemd makes of a service: `Environment=` first, then its files in their order, then the words of `ExecStart=`.
 *
 * @param unit path in the repository
 * @param files what is in `/etc`, by path
 * @see systemd.exec(5), EnvironmentFile=; systemd.service(5), command lines
 */
export function startOf(unit: string, files: Readonly<Record<string, string>>): Start {
  const lines = readFileSync(new URL(`../../${unit}`, import.meta.url), 'utf8').split('\n')
  const valuesOf = (key: string): string[] =>
    lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1))

  const env: Record<string, string> = {}
  for (const word of valuesOf('Environment').flatMap((line) => line.split(' '))) assign(env, word)
  for (const path of valuesOf('EnvironmentFile')) {
    const text = files[path.replace(/^-/, '')]
    if (text === undefined && !path.startsWith('-')) throw new Error(`${path} is not there`)
    for (const line of text?.split('\n') ?? []) if (!line.startsWith('#')) assign(env, line)
  }
  const [command = ''] = valuesOf('ExecStart')
  const [, ...words] = command.split(' ')
  return { env, argv: words.flatMap((word) => expanded(word, env)) }
}

function assign(env: Record<string, string>, line: string): void {
  const equals = line.indexOf('=')
  if (equals > 0) env[line.slice(0, equals)] = line.slice(equals + 1).replace(/^"(.*)"$/, '$1')
}

/** A variable that is a word of its own becomes as many words as it has; within a word it stays one. */
function expanded(word: string, env: Readonly<Record<string, string>>): string[] {
  const [, name] = /^\$(\w+)$/.exec(word) ?? []
  if (name !== undefined) return (env[name] ?? '').split(/\s+/).filter((part) => part !== '')
  return [word.replace(/\$\{(\w+)\}/g, (_, inner: string) => env[inner] ?? '')]
}
