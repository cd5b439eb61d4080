/** Who lixs is compared with, and in what kind of sequences. */
import { aLixs } from './a-lixs.ts'
import { anOxenstored } from './a-oxenstored.ts'
import { aXenstored } from './a-xenstored.ts'
import type { StartDaemon } from './contest.ts'
import { FULL, ORDERLY, type Profile } from './profile.ts'

/** Names of the stock daemons. */
export const RIVALS = ['xenstored', 'oxenstored'] as const
export type Rival = (typeof RIVALS)[number] | 'lixs'

interface Opponent {
  /** lixs, and what it is not asked for beside this one. */
  readonly startOurs: StartDaemon
  readonly profile: Profile
  readonly start: StartDaemon
}

export const rivals: Readonly<Record<Rival, Opponent>> = {
  xenstored: { profile: FULL, startOurs: () => aLixs('lixs', true), start: () => aXenstored() },
  oxenstored: {
    profile: ORDERLY,
    startOurs: async () => ({ ...(await aLixs('lixs', true)), forgetsReleased: true }),
    start: () => anOxenstored(),
  },
  // Whoever differs from himself is compared wrongly.
  lixs: { profile: FULL, startOurs: () => aLixs('lixs', true), start: () => aLixs('lixs', true) },
}

export function isRival(name: string): name is Rival {
  return Object.hasOwn(rivals, name)
}
