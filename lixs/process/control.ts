/**
 * Commands to the daemon itself, as `xenstore-control` sends them; its answers are printed as they
 * are.
 *
 * @see tools/xenstored/control.c
 */
import { DOM0, domidFrom } from '../../native/hypervisor.ts'
import type { Logger, ProcessLog } from '../../native/os/log.ts'
import type { Counters } from '../counters.ts'
import type { Quotas } from '../store/quota.ts'
import type { Store } from '../store/store.ts'
import type { XsErrno } from '../xs-errno.ts'

type ControlAnswer =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'error'; readonly errno: XsErrno }

/** One quota as it is named outside, and where its value is kept. */
interface QuotaName {
  readonly name: string
  readonly key: keyof Quotas
  readonly help: string
}

/** Quotas by the names that upstream's tools and options use. */
export const HARD_QUOTAS: readonly QuotaName[] = [
  { name: 'nodes', key: 'nodes', help: 'Nodes per domain' },
  { name: 'watches', key: 'watches', help: 'Watches per domain' },
  { name: 'transactions', key: 'transactions', help: 'Transactions per domain' },
  { name: 'outstanding', key: 'outstanding', help: 'Outstanding requests per domain' },
  { name: 'transaction-nodes', key: 'transactionNodes', help: 'Nodes per transaction' },
  { name: 'memory', key: 'memoryHard', help: 'Memory in bytes per domain' },
  { name: 'node-size', key: 'nodeSize', help: 'Size in bytes of a node' },
  { name: 'node-permissions', key: 'permissions', help: 'Permissions per node' },
  { name: 'path-max', key: 'pathMax', help: 'Length of a path' },
]
const SOFT_QUOTAS: readonly QuotaName[] = [
  { name: 'memory', key: 'memorySoft', help: 'Memory in bytes per domain that is warned of' },
]
const OK_ANSWER: ControlAnswer = { kind: 'text', text: 'OK' }
const INVALID: ControlAnswer = { kind: 'error', errno: 'EINVAL' }
const NAME_COLUMNS = 20

interface Command {
  readonly name: string
  readonly parameters: string
  readonly run: (words: readonly string[]) => ControlAnswer
}

/** What the commands reach. */
interface ControlTargets {
  readonly quotas: Quotas
  readonly log: Logger
  readonly processLog: Pick<ProcessLog, 'switchTo'>
  readonly store: Pick<Store, 'isIntroduced' | 'usageOf' | 'figures'>
  readonly counters: Counters
  readonly connections: { readonly count: number }
  readonly domains: { readonly count: number }
  /** Called after a quota has been changed. */
  readonly quotasChanged: () => void
}

export class Control {
  readonly #targets: ControlTargets
  readonly #level: string
  readonly #commands: readonly Command[] = [
    { name: 'help', parameters: '', run: (words) => this.#help(words) },
    { name: 'log', parameters: 'on|off', run: (words) => this.#log(words) },
    { name: 'logfile', parameters: '<file>', run: (words) => this.#logfile(words) },
    { name: 'print', parameters: '<string>', run: (words) => this.#print(words) },
    {
      name: 'quota',
      parameters: '[set <name> <val>|<domid>]',
      run: (words) => (words.length === 1 ? this.#usage(words) : this.#quota(HARD_QUOTAS, words)),
    },
    {
      name: 'quota-soft',
      parameters: '[set <name> <val>]',
      run: (words) => this.#quota(SOFT_QUOTAS, words),
    },
    { name: 'stats', parameters: '', run: (words) => this.#stats(words) },
  ]

  constructor(targets: ControlTargets) {
    this.#targets = targets
    this.#level = targets.log.level
  }

  run(command: string, words: readonly string[]): ControlAnswer {
    return this.#commands.find(({ name }) => name === command)?.run(words) ?? INVALID
  }

  #help(words: readonly string[]): ControlAnswer {
    if (words.length !== 0) return INVALID
    const lines = this.#commands.map(({ name, parameters }) =>
      `${name.padEnd(15)} ${parameters}`.trimEnd(),
    )
    return { kind: 'text', text: `${lines.join('\n')}\n` }
  }

  /** `on` logs everything down to single requests' errors; `off` goes back to what was configured. */
  #log(words: readonly string[]): ControlAnswer {
    const [wanted] = words
    if (words.length !== 1 || (wanted !== 'on' && wanted !== 'off')) return INVALID
    this.#targets.log.level = wanted === 'on' ? 'debug' : this.#level
    return OK_ANSWER
  }

  #logfile(words: readonly string[]): ControlAnswer {
    const [file] = words
    if (words.length !== 1 || file === undefined || !file.startsWith('/')) return INVALID
    try {
      this.#targets.processLog.switchTo(file)
      return OK_ANSWER
    } catch (error) {
      this.#targets.log.warn({ err: error, file }, 'cannot log there')
      return { kind: 'error', errno: 'EIO' }
    }
  }

  #print(words: readonly string[]): ControlAnswer {
    const [text] = words
    if (words.length !== 1) return INVALID
    this.#targets.log.info({ text }, 'xenstore-control print')
    return OK_ANSWER
  }

  #usage([word = '']: readonly string[]): ControlAnswer {
    const domid = domidFrom(word)
    if (domid === undefined) return INVALID
    const { store } = this.#targets
    if (domid !== DOM0 && !store.isIntroduced(domid)) return { kind: 'error', errno: 'ENOENT' }
    const { nodes, watches, transactions, memoryBytes } = store.usageOf(domid)
    const rows = [
      ['nodes', nodes],
      ['watches', watches],
      ['transactions', transactions],
      ['memory', memoryBytes],
    ] as const
    const lines = rows.map(
      ([name, used]) => `${name.padEnd(NAME_COLUMNS)}: ${String(used).padStart(8)}`,
    )
    return { kind: 'text', text: `Domain ${domid}:\n${lines.join('\n')}\n` }
  }

  /** Lines of a name and a number: what was done so far, then what there is now. */
  #stats(words: readonly string[]): ControlAnswer {
    if (words.length !== 0) return INVALID
    const { counters, connections, domains, store } = this.#targets
    const { nodes, watches, transactions } = store.figures()
    const figures: readonly (readonly [string, number])[] = [
      ...counters.figures(),
      ['domains', domains.count],
      ['connections', connections.count],
      ['nodes', nodes],
      ['watches', watches],
      ['transactions', transactions],
    ]
    return { kind: 'text', text: figures.map(([name, value]) => `${name} ${value}\n`).join('') }
  }

  #quota(known: readonly QuotaName[], words: readonly string[]): ControlAnswer {
    const { quotas } = this.#targets
    if (words.length === 0) {
      const lines = known.map(
        ({ name, key, help }) =>
          `${name.padEnd(NAME_COLUMNS)}: ${String(quotas[key]).padStart(8)} ${help}`,
      )
      return { kind: 'text', text: `${lines.join('\n')}\n` }
    }
    const [verb, name, value = ''] = words
    const quota = known.find((candidate) => candidate.name === name)
    const number = /^[0-9]{1,10}$/.test(value) ? Number(value) : 0
    if (words.length !== 3 || verb !== 'set' || quota === undefined || number < 1) return INVALID
    quotas[quota.key] = number
    this.#targets.quotasChanged()
    return OK_ANSWER
  }
}
