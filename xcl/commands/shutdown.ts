import { DOM0, type Domid } from '../../native/hypervisor.ts'
import { requestShutdown, type ShutdownRequest } from '../domain/shutdown.ts'
import { Interrupted, UsageError } from '../output/errors.ts'
import { type CommandOption, type CommandSpec, type Invocation, JSON_OPTION } from './command.ts'
import { findDomain, forEach } from './domain-argument.ts'

const OPTIONS: readonly CommandOption[] = [
  { flags: '-a, --all', help: 'all guests' },
  { flags: '-w, --wait', help: 'wait until the guest has ended (and, with reboot, is back)' },
  JSON_OPTION,
]
const PARAMETERS = [{ syntax: '[domain...]', help: 'names, domids or uuids' }]

export const shutdown: CommandSpec = {
  name: 'shutdown',
  summary: 'ask guests to shut down',
  parameters: PARAMETERS,
  options: OPTIONS,
  examples: [
    { line: 'xcl shutdown demo', does: 'returns when the guest has heard' },
    { line: 'xcl shutdown -w -a', does: 'all guests, and wait for their end' },
  ],
  run: (invocation) => request(invocation, 'poweroff'),
}

export const reboot: CommandSpec = {
  name: 'reboot',
  summary: 'ask guests to reboot',
  parameters: PARAMETERS,
  options: OPTIONS,
  examples: [{ line: 'xcl reboot -w demo', does: 'returns when the guest was started again' }],
  run: (invocation) => request(invocation, 'reboot'),
}

async function request(invocation: Invocation, what: ShutdownRequest): Promise<number> {
  const { toolstack, session, options, args } = invocation
  const isAll = options.has('all')
  if (isAll === args.length > 0) {
    throw new UsageError(`${what === 'reboot' ? 'reboot' : 'shutdown'} needs domains, or --all`)
  }
  const targets: (string | Domid)[] = isAll
    ? toolstack.hypervisor.domains
        .list()
        .filter(({ domid, isShutdown, isDying }) => domid !== DOM0 && !isShutdown && !isDying)
        .map(({ domid }) => domid)
    : [...args]
  await forEach(session, targets, String, async (target) => {
    const domid = typeof target === 'number' ? target : await findDomain(toolstack, target)
    const { signal } = session
    const waiting = new AbortController()
    const stop = (): void => waiting.abort()
    signal.addEventListener('abort', stop)
    try {
      const ended = options.has('wait')
        ? toolstack.lifeCycle.ended(domid, waiting.signal)
        : undefined
      ended?.catch(() => undefined)
      await requestShutdown(toolstack, domid, what, signal)
      await ended
    } finally {
      signal.removeEventListener('abort', stop)
      stop()
    }
    if (signal.aborted) throw new Interrupted('interrupted; the guest was asked all the same')
  })
  return 0
}
