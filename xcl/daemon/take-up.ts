/**
 * What an xcld does first: domains that an earlier one created are followed, what was cut off or is
 * gone is undone.
 */
import type { DomainInfo } from '../../native/hypervisor.ts'
import { destroyInXen } from '../domain/create.ts'
import type { Toolstack } from '../toolstack.ts'
import type { DomainRecord } from './journal.ts'
import type { Remnant } from './remains.ts'

/**
 * Reads the journal and compares it with Xen, domain by uuid: the numbers may be other domains' by
 * now, and after a boot of the machine they are.
 * @returns domains that are still to be created
 * @throws XenError when Xen does not list its domains
 */
export async function takeUp(toolstack: Toolstack): Promise<DomainRecord[]> {
  const { hypervisor, journal, log } = toolstack
  const begun = journal.halfMade()
  const done = journal.domains()
  const wanted = journal.restarts()
  for (const { uuid, error } of [...begun.broken, ...done.broken, ...wanted.broken]) {
    log.warn({ uuid, err: error }, 'a record that cannot be read')
  }
  if ([begun, done, wanted].every(({ records, broken }) => records.length + broken.length === 0)) {
    return []
  }
  const byUuid = new Map(hypervisor.domains.list().map((info) => [info.uuid, info]))

  for (const record of [...begun.records, ...done.records]) {
    adopt(toolstack, record, byUuid.has(record.uuid))
  }

  const undone = new Set<string>()
  for (const { uuid, domid } of [...begun.records, ...begun.broken.map(withoutDomid)]) {
    undone.add(uuid)
    await undo(toolstack, { uuid, domid: byUuid.get(uuid)?.domid ?? domid }, byUuid.get(uuid))
  }
  const followed = new Set<string>()
  for (const record of done.records) {
    const { uuid } = record
    if (undone.has(uuid)) continue
    const info = byUuid.get(uuid)
    if (info === undefined || hasNeverStarted(info, record)) {
      await undo(toolstack, { uuid, domid: info?.domid ?? record.domid }, info)
    } else {
      follow(toolstack, record, info)
      followed.add(uuid)
    }
  }
  for (const { uuid } of done.broken) {
    // The guest runs and is left alone; its file goes with it.
    if (!byUuid.has(uuid)) toolstack.remains.add({ uuid, domid: undefined })
  }
  for (const { uuid } of wanted.broken) journal.endRestart(uuid)
  return wanted.records.filter(({ uuid }) => {
    // It is there; or it has ended, and what its record says is done anyway.
    if (followed.has(uuid)) journal.endRestart(uuid)
    return !followed.has(uuid)
  })
}

/** What it holds of dom0 is closed with it; at once when it is gone, before others ask for it. */
function adopt({ claims }: Toolstack, record: DomainRecord, isInXen: boolean): void {
  const { uuid, config, diskIdentities, openDisks } = record
  claims.adopt(uuid, config, diskIdentities, openDisks)
  if (!isInXen) claims.release(uuid)
}

function follow({ lifeCycle, clock }: Toolstack, record: DomainRecord, info: DomainInfo): void {
  const { uuid, config, quickDeaths } = record
  lifeCycle.track({ domid: info.domid, uuid, config, startedAtMs: clock(), quickDeaths })
}

/** Memory and ports at once; the rest when there is a store. */
async function undo(
  toolstack: Toolstack,
  remnant: Remnant,
  info: DomainInfo | undefined,
): Promise<void> {
  toolstack.remains.add(remnant)
  if (info === undefined) return
  const { domid, uuid } = info
  toolstack.log.warn({ domid, uuid }, 'half-made domain destroyed')
  try {
    await destroyInXen(toolstack, domid)
  } catch (error) {
    toolstack.log.warn({ domid, uuid, err: error }, 'half-made domain stays; tried again')
  }
}

/** Killed between the record and the unpause; nobody was told that it is there. */
function hasNeverStarted(info: DomainInfo, { isLeftPaused }: DomainRecord): boolean {
  return info.isPaused && info.cpuTimeNs === 0 && !isLeftPaused
}

function withoutDomid({ uuid }: { readonly uuid: string }): Remnant {
  return { uuid, domid: undefined }
}
