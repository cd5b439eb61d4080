/** Every flag of `npm start`, once, as data, and what they come to. */
import { resolve } from 'node:path'
import { type OptionSpec, type Settings, UsageError } from '../../native/os/command-line.ts'

const FLAG = { kind: 'flag' } as const
const file = { kind: 'text', metavar: 'FILE' } as const
const seconds = { kind: 'number', metavar: 'SECONDS', max: 86_400 } as const
/** Domids end at 32,751, and those of the warm-up are not used again so soon. */
const guests = { kind: 'number', metavar: 'N', max: 30_000 } as const

/** What a guest may be given besides its store and its console. */
const DEVICES = ['vif', 'vbd'] as const
export type DeviceKind = (typeof DEVICES)[number]

export const OPTIONS = [
  { name: 'guests', value: guests, default: '10000', help: 'how many guests are created' },
  {
    name: 'devices',
    value: { kind: 'text', metavar: 'KIND,…' },
    help: `what each guest gets besides: ${DEVICES.join(', ')}`,
  },
  {
    name: 'warm-up',
    value: { kind: 'number', metavar: 'N', max: 2000 },
    default: '500',
    help: 'guests created and destroyed before, which are not counted',
  },
  {
    name: 'exit',
    value: FLAG,
    help: 'take everything down after the table, instead of staying up',
  },
  { name: 'json', value: file, help: 'write the figures to this file, too' },
  { name: 'svg', value: file, help: 'draw how long a create took, by guest count' },
  {
    name: 'log-dir',
    value: { kind: 'text', metavar: 'DIR' },
    help: 'keep all logs there; else below .cache/start, the last three runs',
  },
  {
    name: 'xen',
    value: { kind: 'choice', choices: ['4.17', '4.21'] },
    default: '4.17',
    help: 'which Xen is simulated: 4.17 does not say which domain died, 4.21 does',
  },
  { name: 'idle', value: seconds, help: 'then let all rest so long, and count clock ticks' },
  { name: 'work', value: seconds, help: 'then let all guests work so long' },
  {
    name: 'rate',
    value: { kind: 'number', metavar: 'R', max: 1000 },
    default: '1',
    help: 'store writes, and console lines, of a working guest per second',
  },
  { name: 'die', value: guests, help: 'then let so many guests, picked at random, die at once' },
  {
    name: 'die-how',
    value: { kind: 'choice', choices: ['crash', 'poweroff', 'vanish'] },
    default: 'crash',
    help: 'vanish: Xen destroys them and no toolstack is asked',
  },
  {
    name: 'seed',
    value: { kind: 'number', metavar: 'S', max: 0x7fffffff },
    default: '1',
    help: 'of the random choice',
  },
  { name: 'help', short: 'h', value: FLAG, isAction: true, help: 'print this, and end' },
] as const satisfies readonly OptionSpec[]

export type OptionName = (typeof OPTIONS)[number]['name']

/** How guests are made to die. */
export type DeathKind = 'crash' | 'poweroff' | 'vanish'

/** What the run is to be; paths absolute. */
export interface StartOptions {
  readonly guests: number
  readonly warmUp: number
  readonly devices: readonly DeviceKind[]
  readonly xen: '4.17' | '4.21'
  /** Everything is taken down after the table. */
  readonly isExit: boolean
  readonly jsonFile: string | undefined
  readonly svgFile: string | undefined
  readonly logDir: string | undefined
  /** Seconds; 0: that phase is left out. */
  readonly idleS: number
  readonly workS: number
  readonly rate: number
  /** 0: nobody dies. */
  readonly die: number
  readonly dieHow: DeathKind
  readonly seed: number
}

/** @throws UsageError for what cannot be run */
export function optionsFrom(settings: Settings<OptionName>): StartOptions {
  const last = (name: OptionName): string | undefined => settings.get(name)?.values.at(-1)
  const number = (name: OptionName): number => Number(last(name) ?? 0)
  const path = (name: OptionName): string | undefined => {
    const given = last(name)
    return given === undefined ? undefined : resolve(given)
  }
  const count = number('guests')
  const die = number('die')
  if (count === 0) throw new UsageError('--guests: at least one')
  if (die > count) throw new UsageError(`--die: of ${count} guests no ${die} can die`)
  if (number('rate') === 0) throw new UsageError('--rate: at least one per second')
  return {
    guests: count,
    warmUp: number('warm-up'),
    devices: devicesFrom(last('devices')),
    xen: last('xen') === '4.21' ? '4.21' : '4.17',
    isExit: last('exit') !== undefined,
    jsonFile: path('json'),
    svgFile: path('svg'),
    logDir: path('log-dir'),
    idleS: number('idle'),
    workS: number('work'),
    rate: number('rate'),
    die,
    dieHow: deathFrom(last('die-how')),
    seed: number('seed'),
  }
}

function devicesFrom(text: string | undefined): readonly DeviceKind[] {
  if (text === undefined) return []
  const words = text.split(',')
  const unknown = words.find((word) => !DEVICES.some((kind) => kind === word))
  if (unknown !== undefined) {
    throw new UsageError(`--devices: "${unknown}" is none of ${DEVICES.join(', ')}`)
  }
  return DEVICES.filter((kind) => words.includes(kind))
}

function deathFrom(text: string | undefined): DeathKind {
  return text === 'poweroff' || text === 'vanish' ? text : 'crash'
}
