/**
 * Differences that are none: each has a name, a reason in docs/differences.md, and is as narrow as it
 * can be said.
 */
import type { SendStep } from './step.ts'

/** The two replies to one step. */
export interface Pair {
  readonly step: SendStep
  readonly ours: string
  readonly theirs: string
  /** Is it in a transaction that others have interfered with, and that came to nothing? */
  readonly isDoomed: boolean
}

export interface Excuse {
  /** As in docs/differences.md. */
  readonly name: string
  /** Daemons whose replies it excuses. */
  readonly against: readonly string[]
  /** Does it explain why the replies differ? */
  explains(pair: Pair): boolean
}

const OF_NEWER_DAEMONS = new Set(['GET_FEATURE', 'SET_FEATURE', 'GET_QUOTA', 'SET_QUOTA'])

export const EXCUSES: readonly Excuse[] = [
  {
    name: 'newer-operation',
    against: ['xenstored'],
    explains: ({ step, theirs }) =>
      OF_NEWER_DAEMONS.has(String(step.op)) && theirs === 'ERROR ENOSYS|',
  },
  {
    name: 'generation',
    against: ['lixs', 'xenstored'],
    explains: ({ step, ours, theirs }) =>
      step.op === 'DIRECTORY_PART' && withoutGeneration(ours) === withoutGeneration(theirs),
  },
  {
    name: 'doomed-transaction',
    against: ['lixs', 'xenstored'],
    explains: (pair) => pair.isDoomed && mayBothBe(pair),
  },
]

/**
 * What is malformed is so for everybody. But RM of a node whose parent is not there for the transaction,
 * though the node is, is EINVAL in xenstored.
 */
function mayBothBe({ step, ours, theirs }: Pair): boolean {
  if (step.op === 'RM' && ours === 'ERROR ENOENT|') return true
  return ours !== 'ERROR EINVAL|' && theirs !== 'ERROR EINVAL|'
}

/** A reply to DIRECTORY_PART but for the number that only says whether something has changed. */
function withoutGeneration(text: string): string {
  return text.replace(/^DIRECTORY_PART \d+\|/, 'DIRECTORY_PART <generation>|')
}
