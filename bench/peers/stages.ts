/** Everything that is measured, in order. Targets are in targets.ts. */
import { OTHERS } from './peers.ts'
import {
  cpu,
  cpuShare,
  duration,
  only,
  p50,
  p50Ms,
  p99,
  perCpuSecond,
  retries,
  slowdown,
  throughput,
} from './rows.ts'
import type { Row, Scenario, Stage } from './scenario.ts'

/** What one measurement may take; who needs longer is given up. */
const LIMIT_S = 6
/** Of the paced load: a hundred requests. */
const PACED_S = 1
/** Where a few hundredths decide. */
const SLICES = 3
const MANY = 10_000
const NODES = 1_000_000

export interface StageOptions {
  /** Of one measurement, mostly. */
  readonly seconds: number
  /** How long nobody asks for anything. */
  readonly idleSeconds: number
}

export function stages({ seconds, idleSeconds }: StageOptions): readonly Stage[] {
  /** A command of the load. */
  const load = (command: string, rows: readonly Row[], more: Partial<Scenario> = {}): Scenario => ({
    measure: { kind: 'load', command: `${command} seconds=${seconds}` },
    limitS: LIMIT_S,
    rows,
    ...more,
  })
  const alone = (op: 'read' | 'write', rows: readonly Row[], more: Partial<Scenario> = {}) =>
    load(`busy how=turn op=${op} clients=1`, rows, more)
  const deep = (op: 'read' | 'write', rows: readonly Row[]) =>
    load(`busy how=all op=${op} clients=1 depth=32`, rows)
  const active = (clients: number) =>
    load(`busy how=all op=read clients=${clients} depth=1`, [
      throughput(`READ, ${count(clients)} clients`),
    ])
  const transactions = (name: string, clients: number, nodes: 'own' | 'shared') =>
    load(`transactions clients=${clients} nodes=${nodes}`, [
      throughput(`transactions, ${name}`),
      retries(`retries per commit, ${name}`),
    ])
  const fan = (watchers: number) =>
    load(`fan watchers=${watchers}`, [p50(`write to ${count(watchers)} watchers, p50`)])
  const children = (of: number) => {
    const step = (name: string, row: (name: string) => Row) =>
      load(`children count=${of} step=${name}`, [row(`${count(of)} children, ${STEPS[name]}`)])
    return [step('create', duration), step('list', p50), step('remove', p50), step('clear', p50)]
  }
  /** At sockets no domain is introduced; at rings each is, which is the machine's work as well. */
  const creations = (guests: number, at: 'sockets' | 'rings'): Scenario[] => {
    const of = `${count(guests)} ${plural(guests, at === 'sockets' ? 'guest' : 'ring')}`
    const isPaired = guests > 1 && at === 'sockets'
    return [
      load(
        'create how=libxl domains=NEWCOMERS',
        [p50Ms(`xl create, ${of}`), ...(isPaired ? [slowdown(`xl create, ${of} by 1`)] : [])],
        isPaired ? { isPaired, slices: SLICES } : {},
      ),
      load('create how=xcl domains=NEWCOMERS', [p50Ms(`xcl create, ${of}`)]),
    ]
  }
  const idle = (connections: number): Stage => ({
    name: `${count(connections)} idle connections`,
    population: { guests: 1, guestsAt: 'sockets', idle: connections },
    scenarios: [
      alone('read', [p50(`READ, ${count(connections)} idle, p50`)]),
      {
        measure: {
          kind: 'load',
          command: `busy how=paced op=read clients=1 rate=100 seconds=${PACED_S}`,
        },
        limitS: LIMIT_S,
        isPaired: true,
        rows: [
          p50(`100 READ/s, ${count(connections)} idle, p50`),
          slowdown(`100 READ/s, ${count(connections)} idle by none`),
          cpuShare(`100 READ/s, ${count(connections)} idle, CPU`),
        ],
      },
    ],
  })
  const watched = (watches: number): Stage => ({
    name: `${count(watches)} unrelated watches`,
    population: { guests: 1, guestsAt: 'sockets', watches },
    scenarios: [
      alone('write', [slowdown(`WRITE, ${count(watches)} watches by none`)], {
        isPaired: true,
        slices: SLICES,
      }),
    ],
  })
  const rings = (guests: number): Scenario => {
    const active = `${count(guests)} ${plural(guests, 'ring')} active`
    return {
      measure: { kind: 'rings', seconds: 2 * seconds },
      limitS: LIMIT_S,
      rows: [perCpuSecond(active), throughput(`${active}, speed`)],
    }
  }

  return [
    {
      name: '1 guest',
      population: { guests: 1, guestsAt: 'sockets' },
      scenarios: [
        alone('read', [
          p50('READ, depth 1, p50'),
          p99('READ, depth 1, p99'),
          cpu('READ, depth 1, CPU'),
        ]),
        alone('write', [
          p50('WRITE, depth 1, p50'),
          p99('WRITE, depth 1, p99'),
          cpu('WRITE, depth 1, CPU'),
        ]),
        deep('read', [throughput('READ, depth 32'), cpu('READ, depth 32, CPU')]),
        deep('write', [throughput('WRITE, depth 32'), cpu('WRITE, depth 32, CPU')]),
        active(16),
        active(128),
        active(1000),
        load('busy how=turn op=read clients=1000', [p50('READ, 1,000 in turn, p50')]),
        transactions('1 client', 1, 'own'),
        transactions('8 disjoint', 8, 'own'),
        transactions('8 same keys', 8, 'shared'),
        fan(10),
        fan(1000),
        ...children(1000),
        ...children(MANY),
        ...creations(1, 'sockets'),
      ],
    },
    idle(1000),
    idle(MANY),
    watched(MANY),
    watched(10 * MANY),
    {
      name: '1,000 guests',
      population: { guests: 1000, guestsAt: 'sockets' },
      scenarios: creations(1000, 'sockets'),
    },
    {
      name: '10,000 guests',
      population: { guests: MANY, guestsAt: 'sockets', fewNodesAt: OTHERS },
      scenarios: [
        {
          measure: { kind: 'memory' },
          limitS: LIMIT_S,
          rows: [only('RSS, 10,000 guests', 'MB', 'rssMb')],
        },
        ...creations(MANY, 'sockets'),
      ],
    },
    {
      name: '1 ring',
      population: { guests: 1, guestsAt: 'rings' },
      scenarios: [rings(1), ...creations(1, 'rings')],
    },
    {
      name: '1,000 rings',
      population: { guests: 1000, guestsAt: 'rings' },
      scenarios: [rings(1000), ...creations(1000, 'rings')],
    },
    {
      name: '10,000 rings',
      population: { guests: MANY, guestsAt: 'rings', fewNodesAt: OTHERS },
      scenarios: [
        rings(MANY),
        ...creations(MANY, 'rings'),
        load(
          'death domains=GUESTS control=CONTROL',
          [p50Ms('a death among 10,000, p50'), cpu('a death among 10,000, CPU')],
          {
            without: ['floor'],
          },
        ),
      ],
      idle: {
        seconds: idleSeconds,
        row: {
          name: `10,000 idle rings, ${idleSeconds} s`,
          unit: 'ticks',
          figure: () => Number.NaN,
        },
      },
    },
    {
      name: '1,000,000 nodes',
      population: { guests: 1, guestsAt: 'sockets', nodes: NODES },
      isProbed: true,
      scenarios: [
        {
          measure: { kind: 'turns', commands: loadOfAllKinds(2 * seconds) },
          limitS: LIMIT_S,
          rows: [only('longest turn, 1,000,000 nodes', 'ms', 'longestTurnMs')],
        },
      ],
    },
  ]
}

const STEPS: Readonly<Record<string, string>> = {
  create: 'create all',
  list: 'list',
  remove: 'remove one',
  clear: 'remove all',
}

/** Many clients at depth, long answers, folders that come and go, transactions, watchers, guests: all together. */
function loadOfAllKinds(seconds: number): string[] {
  return [
    'busy how=all op=write clients=64 depth=8',
    'bulk clients=32 depth=8',
    'children count=10000 step=clear',
    'transactions clients=8 nodes=own',
    'fan watchers=1000',
    'create how=xcl domains=NEWCOMERS',
  ].map((command) => `${command} seconds=${seconds}`)
}

/** `10,000`. */
function count(number: number): string {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ',')
}

function plural(number: number, noun: string): string {
  return number === 1 ? noun : `${noun}s`
}
