/** What sequences are like: how often what happens. A weight of 0 leaves something out. */
export interface Profile {
  readonly sockets: number
  /** Domids of guests; none: sockets only. */
  readonly guests: readonly number[]
  readonly weights: Readonly<Record<Act, number>>
  /**
   * Which nodes guests may read and where they may create some is the same by everybody's rules: directories
   * are readable by all and written to by their owner only, all other permissions are those of leaves.
   */
  readonly isOrderly?: boolean
}

/** What a client, or a domain, may do next. */
export type Act =
  | 'read'
  | 'write'
  | 'mkdir'
  | 'rm'
  | 'directory'
  | 'directory part'
  | 'get perms'
  | 'set perms'
  | 'set special perms'
  | 'watch'
  | 'watch special'
  | 'unwatch'
  | 'reset watches'
  | 'start'
  | 'end'
  | 'domain path'
  | 'is introduced'
  | 'introduce again'
  | 'introduce nonsense'
  | 'release'
  | 'release nonsense'
  | 'resume'
  | 'target'
  | 'control'
  | 'unknown'
  | 'unknown transaction'
  | 'privileged only'
  | 'malformed'
  | 'long path'
  | 'big directory'
  | 'many children'
  | 'newer'
  | 'hang up'
  | 'oversize'
  | 'shut down'
  | 'crash'
  | 'destroy'

/** All that C xenstored answers as its documents say. */
export const FULL: Profile = {
  sockets: 3,
  guests: [1, 2, 3],
  weights: {
    read: 140,
    write: 180,
    mkdir: 50,
    rm: 50,
    directory: 60,
    'directory part': 4,
    'get perms': 50,
    'set perms': 60,
    'set special perms': 2,
    watch: 60,
    'watch special': 8,
    unwatch: 25,
    'reset watches': 3,
    start: 45,
    end: 160,
    'domain path': 8,
    'is introduced': 8,
    'introduce again': 2,
    'introduce nonsense': 3,
    release: 1,
    'release nonsense': 3,
    resume: 2,
    target: 2,
    control: 2,
    unknown: 3,
    'unknown transaction': 5,
    'privileged only': 5,
    malformed: 15,
    'long path': 3,
    'big directory': 0.2,
    'many children': 0.6,
    newer: 1,
    'hang up': 3,
    oversize: 0.3,
    'shut down': 0.7,
    crash: 0.5,
    destroy: 1.2,
  },
}

/** What C xenstored and oxenstored, in the same versions, mean alike. */
export const ORDERLY: Profile = {
  ...FULL,
  isOrderly: true,
  weights: {
    ...FULL.weights,
    'directory part': 0,
    'set special perms': 0,
    'introduce again': 0,
    release: 0,
    control: 0,
    'big directory': 0,
    oversize: 0,
    newer: 0,
  },
}
