/**
 * What daemons may say in one way or another, said in one: both sides of a comparison are put into this form
 * before they are compared. Each of it stands in docs/differences.md.
 */

import { absolute } from './paths.ts'
import type { SendStep, Step } from './step.ts'
import { type Heard, Transcript } from './transcript.ts'

/**
 * Names of children in alphabetical order, watches of one node by token.
 *
 * @param isTheirs it is oxenstored's, which has names of its own for some errors
 */
export function normalForm(
  steps: readonly Step[],
  transcript: Transcript,
  isTheirs: boolean,
): Transcript {
  const said = new Transcript()
  said.endedAt = transcript.endedAt
  said.store = transcript.store.toSorted()
  for (const [step, told] of transcript.repeated) said.repeated.set(step, told)
  for (const on of transcript.connections) {
    let burst = 0
    for (const heard of sortedByToken(on, transcript.heardOn(on))) {
      for (; burst < heard.burst; burst++) said.burstEnded(on)
      const step = steps[heard.step]
      const text = sortedReply(heard.text)
      if (heard.step < 0) said.event(on, heard.text)
      else
        said.reply(on, heard.step, isTheirs && step?.kind === 'send' ? ourName(step, text) : text)
    }
  }
  return said
}

/** By operation: what the limits are called that oxenstored calls EQUOTA. */
const LIMITS: Readonly<Record<string, string>> = {
  WATCH: 'ERROR E2BIG|',
  WRITE: 'ERROR ENOSPC|',
  MKDIR: 'ERROR ENOSPC|',
  SET_PERMS: 'ERROR ENOSPC|',
  TRANSACTION_START: 'ERROR ENOSPC|',
}

function sortedReply(text: string): string {
  return text.startsWith('DIRECTORY ') ? `DIRECTORY ${sortedNames(text.slice(10))}` : text
}

/** What lixs calls an error of oxenstored's. */
function ourName({ op, tx }: SendStep, text: string): string {
  if (text === 'ERROR EQUOTA|') return LIMITS[op] ?? text
  if (text === 'ERROR E2BIG|' && op === 'WRITE') return 'ERROR ENOSPC|'
  // A transaction that is not there.
  if (text === 'ERROR EIO|' && tx !== undefined) return 'ERROR ENOENT|'
  return text
}

function sortedNames(names: string): string {
  return names
    .split('|')
    .slice(0, -1)
    .filter((name) => !/^@(introduce|release)Domain$/.test(name))
    .sort()
    .map((name) => `${name}|`)
    .join('')
}

/** Watches of one connection that hear of the same change, by token: oxenstored tells the latest one first. */
function sortedByToken(on: string, stream: readonly Heard[]): readonly Heard[] {
  const sorted: Heard[] = []
  let run: Heard[] = []
  const end = (): void => {
    sorted.push(...run.sort((one, other) => (one.text < other.text ? -1 : 1)))
    run = []
  }
  for (const heard of stream) {
    const [last] = run
    const isOfRun =
      last !== undefined && heard.step < 0 && absolute(on, heard.text) === absolute(on, last.text)
    if (!isOfRun || last.burst !== heard.burst) end()
    if (heard.step < 0) run.push(heard)
    else sorted.push(heard)
  }
  end()
  return sorted
}
