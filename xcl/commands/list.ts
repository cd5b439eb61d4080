import type { DomainInfo } from '../../native/hypervisor.ts'
import { domainTable, type ListedDomain } from '../output/domain-table.ts'
import { NoSuchDomain, UsageError } from '../output/errors.ts'
import type { Toolstack } from '../toolstack.ts'
import { type CommandSpec, type Invocation, JSON_OPTION } from './command.ts'
import { findDomain } from './domain-argument.ts'

const FORMATS = ['table', 'json', 'jsonl', 'name'] as const

export const list: CommandSpec = {
  name: 'list',
  summary: 'show domains',
  parameters: [{ syntax: '[domain...]', help: 'names, domids or uuids; all when none is given' }],
  options: [
    { flags: '--format <format>', help: `one of ${FORMATS.join(', ')}` },
    { flags: '-v, --verbose', help: 'uuids and reasons of shutdowns, too' },
    JSON_OPTION,
  ],
  examples: [
    { line: 'xcl list', does: 'all domains, as xl shows them' },
    { line: 'xcl list --json', does: 'for programs' },
    { line: 'xcl list --format name', does: 'names only, one a line' },
  ],
  run: async (invocation) => {
    const { session, options } = invocation
    const format = options.has('json') ? 'json' : (options.value('format') ?? 'table')
    const domains = await listed(invocation)
    session.stdout(text(domains, format, options.has('verbose')))
    return 0
  },
}

function text(domains: readonly ListedDomain[], format: string, isVerbose: boolean): string {
  switch (format) {
    case 'table':
      return domainTable(domains, isVerbose)
    case 'json':
      return `${JSON.stringify(domains, undefined, 2)}\n`
    case 'jsonl':
      return domains.map((domain) => `${JSON.stringify(domain)}\n`).join('')
    case 'name':
      return domains.map((domain) => `${domain.name ?? domain.domid}\n`).join('')
    default:
      throw new UsageError(`there is no format "${format}"`, `one of ${FORMATS.join(', ')}`)
  }
}

async function listed({ toolstack, args }: Invocation): Promise<ListedDomain[]> {
  await toolstack.store.client()
  await toolstack.names.refreshed()
  const { domains } = toolstack.hypervisor
  if (args.length === 0) return domains.list().map((info) => listedDomain(toolstack, info))
  const shown: ListedDomain[] = []
  for (const arg of args) {
    const info = domains.info(await findDomain(toolstack, arg))
    if (info === undefined) throw new NoSuchDomain(arg)
    shown.push(listedDomain(toolstack, info))
  }
  return shown
}

function listedDomain(toolstack: Toolstack, info: DomainInfo): ListedDomain {
  const { domid, uuid, vcpus } = info
  return {
    name: toolstack.names.nameOf(domid) ?? null,
    domid,
    uuid,
    memoryKiB: info.memoryKiB + info.outstandingKiB,
    vcpus,
    isRunning: info.isRunning,
    isBlocked: info.isBlocked,
    isPaused: info.isPaused,
    isShutdown: info.isShutdown,
    shutdownReason: info.shutdownReason ?? null,
    isDying: info.isDying,
    cpuSeconds: info.cpuTimeNs / 1e9,
    devices: listedDevices(toolstack, info),
  }
}

function listedDevices(
  { lifeCycle }: Toolstack,
  { domid, uuid }: DomainInfo,
): ListedDomain['devices'] {
  const managed = lifeCycle.managed(domid)
  if (managed?.uuid !== uuid) return null
  const { vifs, disks } = managed.config
  return {
    vifs: vifs.map(({ devid, mac, bridge }) => ({ devid, mac: mac ?? null, bridge })),
    disks: disks.map(({ vdev, target, isReadOnly }) => ({ vdev, target, isReadOnly })),
  }
}
