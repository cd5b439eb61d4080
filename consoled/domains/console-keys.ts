/** The keys of `~/console` that say where a console is and how it is to be served. */
import type { Domid, EvtchnPort, Gfn } from '../../native/hypervisor.ts'

/** What is needed of a store connection; `XenstoreClient` has it. */
export interface KeyReader {
  read(path: string): Promise<string | undefined>
}

/** @see docs/misc/xenstore-paths.pandoc, ~/console */
export interface ConsoleKeys {
  /** Both, or the console cannot be reached yet. */
  readonly ring: { readonly gfn: Gfn; readonly port: EvtchnPort } | undefined
  /** False when another program serves this console (`type` is `ioemu`). */
  readonly isOurs: boolean
  /** Bytes that may wait for a reader of the terminal; undefined when the key is absent. */
  readonly limit: number | undefined
  /** Undefined when the node does not exist: then nobody asks for a terminal. */
  readonly tty: string | undefined
  readonly name: string | undefined
}

/** Names of the keys below `~/console` that count here; some of the others are the guest's to write. */
const KEYS: ReadonlySet<string> = new Set(['ring-ref', 'port', 'type', 'limit', 'tty'])

/** Whether a change there, told by a watch on `~/console`, can change what `readConsoleKeys` gives. */
export function isConsoleKey(domid: Domid, changed: string): boolean {
  const above = consolePath(domid).length + 1
  return changed.length < above || KEYS.has(changed.slice(above))
}

export function consolePath(domid: Domid): string {
  return `/local/domain/${domid}/console`
}

/**
 * Reads all keys in one round trip.
 *
 * @throws XenstoreConnectionLost, or XenstoreError for anything but ENOENT
 */
export async function readConsoleKeys(store: KeyReader, domid: Domid): Promise<ConsoleKeys> {
  const path = consolePath(domid)
  const [ringRef, port, type, limit, tty, name] = await Promise.all([
    store.read(`${path}/ring-ref`),
    store.read(`${path}/port`),
    store.read(`${path}/type`),
    store.read(`${path}/limit`),
    store.read(`${path}/tty`),
    store.read(`/local/domain/${domid}/name`),
  ])
  const gfn = numberFrom(ringRef)
  const evtchn = numberFrom(port)
  return {
    ring:
      gfn === undefined || evtchn === undefined || evtchn === 0
        ? undefined
        : { gfn: gfn as Gfn, port: evtchn as EvtchnPort },
    isOurs: type === undefined || type === 'xenconsoled',
    limit: limitFrom(limit),
    tty,
    name,
  }
}

/** Unsigned decimal below 2^53; hexadecimal with 0x as strtoul takes it. */
function numberFrom(text: string | undefined): number | undefined {
  if (text === undefined || !/^(?:0x[0-9a-f]{1,13}|[0-9]{1,15})$/i.test(text)) return undefined
  return Number(text)
}

/** As strtoul reads it with base 0: decimal, octal after a 0, hexadecimal after 0x; what follows is left. */
function limitFrom(text: string | undefined): number | undefined {
  const [, hexadecimal, octal, decimal] =
    /^\s*\+?(?:0x([0-9a-f]{1,13})|0([0-7]{1,15})|([0-9]{1,15}))/i.exec(text ?? '') ?? []
  if (hexadecimal !== undefined) return Number.parseInt(hexadecimal, 16)
  if (octal !== undefined) return Number.parseInt(octal, 8)
  return decimal === undefined ? undefined : Number(decimal)
}
