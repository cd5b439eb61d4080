import { type ControlAnswer, type ControlCommand, INVALID } from '../control/command.ts'
import type { LiveUpdate, StartOptions } from './live-update.ts'

const TIMEOUT_SEC = 60
const TIMEOUT_MAX_SEC = 24 * 60 * 60

/** @param update undefined: this daemon cannot be followed by another one */
export function liveUpdateCommands(update: LiveUpdate | undefined): readonly ControlCommand[] {
  return [
    {
      name: 'live-update',
      parameters: '[-c <cmdline>] [-f <file>] [-a] [-s [-F] [-t <sec>] [-v <version>]]',
      run: (words, request) => {
        if (update === undefined) return INVALID
        const [step, word] = words
        if (step === '-s') {
          const options = startOptions(words.slice(1))
          if (options === undefined) return INVALID
          const refusal = update.start(request, options)
          return refusal === undefined ? { kind: 'later' } : text(refusal)
        }
        if (step === '-a' && words.length === 1) return text(update.abort())
        if (words.length !== 2 || word === undefined) return INVALID
        if (step === '-f') return text(update.useProgram(word))
        if (step === '-c') return text(update.useCommandLine(word))
        return INVALID
      },
    },
  ]
}

/** @returns undefined when the words are wrong */
function startOptions(words: readonly string[]): StartOptions | undefined {
  let isForced = false
  let timeoutSec = TIMEOUT_SEC
  let version: number | undefined
  for (let i = 0; i < words.length; i++) {
    const word = words[i]
    if (word === '-F') {
      isForced = true
      continue
    }
    const value = words[++i] ?? ''
    if (!/^[0-9]{1,5}$/.test(value)) return undefined
    if (word === '-t') timeoutSec = Number(value)
    else if (word === '-v') version = Number(value)
    else return undefined
  }
  if (timeoutSec > TIMEOUT_MAX_SEC) return undefined
  return { isForced, timeoutMs: timeoutSec * 1000, version }
}

function text(words: string): ControlAnswer {
  return { kind: 'text', text: words }
}
