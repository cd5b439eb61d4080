/**
 * Creates guests as anybody would: by requests to xcld. Each is READY before the next one is asked for,
 * so that a figure is of one guest, and not of two that get into each other's way.
 */
import { truncateSync, writeFileSync } from 'node:fs'
import * as v from 'valibot'
import type { Simulator } from '../../native/simulator/control.ts'
import type { XcldClient } from '../../xcl/daemon/client.ts'
import type { Guests } from './guests.ts'
import type { DeviceKind } from './options.ts'
import type { RunDirectory } from './run-directory.ts'

/** What a guest is promised; the machine keeps account of it, and has pages only where it writes. */
const GUEST_MEMORY_MIB = 8
/** What the machine has to have for each, with what the toolstack adds. */
export const HOST_MEMORY_MIB = 2 * GUEST_MEMORY_MIB
const DISK_BYTES = 1024 * 1024
/** Guests whose network cards share a bridge: a Linux bridge takes 1,023 ports. */
const GUESTS_PER_BRIDGE = 1000
/** How long the next one waits for a guest to be READY; it may still become so later. */
const PATIENCE_MS = 2000
/** After so many that were not READY in time nobody is waited for any more. */
const MAX_LATE = 5
/** Guests in one `destroy`. */
const DESTROYED_AT_ONCE = 50

/** Of what `create --json` prints. */
const Created = v.object({ domid: v.number(), uuid: v.string(), totalMs: v.number() })

/** What guests are created from. */
export interface Recipe {
  /** Path of the one configuration that all guests have. */
  readonly config: string
  readonly hasVif: boolean
}

/** Writes a simulated kernel, a disk, and the configuration. */
export function writeGuestFiles(runDir: RunDirectory, devices: readonly DeviceKind[]): Recipe {
  const kernel = runDir.file('guest')
  const disk = runDir.file('disk.img')
  const config = runDir.file('guest.cfg')
  writeFileSync(kernel, '#!xcl-guest\n')
  writeFileSync(disk, '')
  truncateSync(disk, DISK_BYTES)
  const lines = [
    'type = "pvh"',
    `kernel = "${kernel}"`,
    `memory = ${GUEST_MEMORY_MIB}`,
    ...(devices.includes('vbd')
      ? [`disk = [ "format=raw,vdev=xvda,access=ro,target=${disk}" ]`]
      : []),
  ]
  writeFileSync(config, `${lines.join('\n')}\n`)
  return { config, hasVif: devices.includes('vif') }
}

/** Makes as many bridges as the network cards of so many guests need; the machine has the first one. */
export async function addBridges(simulator: Simulator, guests: number): Promise<void> {
  for (let bridge = 1; bridge * GUESTS_PER_BRIDGE < guests; bridge++) {
    await simulator.command(`bridge add xenbr${bridge}`)
  }
}

/**
 * Creates them all. One that fails is an error of the row, and the next one's turn comes.
 *
 * @param onEach called after each, with how many requests were answered
 * @returns how many were not READY in time; after a few nobody is waited for any more
 * @throws XcldLost
 */
export async function createGuests(
  xcld: XcldClient,
  { config, hasVif }: Recipe,
  guests: Guests,
  onEach: (done: number) => void,
): Promise<number> {
  let late = 0
  for (let i = 0; i < guests.count; i++) {
    const name = guests.name(i)
    const settings = [
      `name="${name}"`,
      `extra="nonce=${guests.nonces[i]}"`,
      ...(hasVif ? [`vif=["bridge=xenbr${Math.floor(i / GUESTS_PER_BRIDGE)}"]`] : []),
    ]
    guests.requested(i)
    const outcome = await xcld.run(['create', '--json', config, ...settings])
    if (outcome.code === 0) {
      const { domid, uuid, totalMs } = v.parse(Created, JSON.parse(outcome.stdout))
      guests.created(i, domid, uuid, totalMs)
      if (late < MAX_LATE && !(await guests.untilReady(i, PATIENCE_MS))) late++
    } else guests.errors.push(`create ${name}: ${firstLine(outcome.stderr)}`)
    onEach(i + 1)
  }
  return late
}

/**
 * Destroys them all, as far as they were created.
 * @throws XcldLost
 */
export async function destroyGuests(xcld: XcldClient, guests: Guests): Promise<void> {
  const domids = [...guests.domids].filter((domid) => domid !== 0).map(String)
  for (let at = 0; at < domids.length; at += DESTROYED_AT_ONCE) {
    const some = domids.slice(at, at + DESTROYED_AT_ONCE)
    const { code, stderr } = await xcld.run(['destroy', ...some])
    if (code !== 0) guests.errors.push(`destroy: ${firstLine(stderr)}`)
  }
}

/** Without the program's name, which whoever reads it here did not type. */
function firstLine(stderr: string): string {
  return (stderr.split('\n')[0] ?? '').replace(/^xcl: /, '')
}
