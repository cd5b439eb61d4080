import * as v from 'valibot'
import { DOM0, domidFrom } from '../../native/hypervisor.ts'
import { NoSuchDomain, Refused, UsageError } from '../output/errors.ts'
import type { Toolstack } from '../toolstack.ts'
import type { CommandSpec, TypedOptions } from './command.ts'
import { attachAgain, stayAttached } from './console-stay.ts'
import {
  type AttachedGuest,
  attachConsole,
  type ConsoleOptions,
  escapeFrom,
} from './console-target.ts'
import { findDomain } from './domain-argument.ts'

export const attach: CommandSpec = {
  name: 'console',
  summary: "attach to a guest's console; Ctrl-] leaves",
  parameters: [{ syntax: '<domain>', help: 'name, domid or uuid' }],
  options: [
    { flags: '-e, --escape <char>', help: 'character that leaves (default ^])' },
    { flags: '--ro', help: 'only look: nothing typed reaches the guest' },
    { flags: '-x, --exclusive', help: 'type alone: refused while somebody else may type' },
    {
      flags: '--tail <bytes>',
      help: 'show so much of what was said last (default 16384, 65536 at most)',
    },
  ],
  notes: [
    'Stays when consoled or xcld is restarted and when the guest reboots; ends with the guest.',
    'Any number may look, and type, at once, also beside xl console at the same guest.',
    'A PV console cannot tell the guest how large a terminal is: the size of yours is set on the',
    "domain's pty where it has one; in the guest, use: stty cols 120 rows 40",
    'With its input from a pipe or a file no character leaves, and it stays when that has ended, since',
    'answers are still to come: until the guest ends, or Ctrl-C or another signal ends it.',
  ],
  examples: [
    { line: 'xcl console demo', does: 'read and type; Ctrl-] leaves' },
    { line: 'xcl console -e ^A demo', does: 'Ctrl-A leaves' },
    { line: 'xcl console --ro --tail 0 demo', does: 'look at what it says from now on' },
    { line: 'timeout 10 xcl console demo <keys', does: 'type a file, and look for ten seconds' },
  ],
  run: async ({ toolstack, session, options, args }) => {
    const how = consoleOptions(options)
    const guest = await attachedGuest(toolstack, args[0] ?? '')
    const attachment = await attachConsole(toolstack, session, guest, how)
    return await stayAttached(toolstack, session, guest, how, attachment)
  },
}

/** What the client asks for whose xcld was replaced by another while it was attached. */
export const goOnWithConsole: CommandSpec = {
  name: 'console-resume',
  summary: 'go on with a console for which an earlier xcld attached this terminal',
  isHidden: true,
  parameters: [
    { syntax: '<attachment>', help: 'as that xcld described it' },
    { syntax: '<position>', help: 'of the next byte' },
  ],
  options: [],
  examples: [{ line: 'xcl console-resume …', does: 'typed by xcl itself' }],
  run: async ({ toolstack, session, args }) => {
    const { guest, how } = resumeFrom(args[0] ?? '')
    const position = /^[0-9]{1,10}$/.test(args[1] ?? '') ? Number(args[1]) : undefined
    // Its successor is found by name.
    await toolstack.store.client()
    await toolstack.names.refreshed()
    const again = await attachAgain(toolstack, session, guest, how, position)
    if (typeof again === 'number') return again
    return await stayAttached(toolstack, session, again.guest, how, again.attachment)
  },
}

function consoleOptions(options: TypedOptions): ConsoleOptions {
  const isReadOnly = options.has('ro')
  const isExclusive = options.has('exclusive')
  if (isReadOnly && isExclusive) {
    throw new UsageError('--ro and --exclusive contradict each other')
  }
  const tail = options.value('tail')
  if (tail !== undefined && !/^[0-9]{1,9}$/.test(tail)) {
    throw new UsageError(`--tail takes a number of bytes, not "${tail}"`)
  }
  return {
    escapeCode: escapeFrom(options.value('escape')),
    writes: isReadOnly ? 'no' : isExclusive ? 'exclusive' : 'shared',
    tailBytes: tail === undefined ? undefined : Number(tail),
  }
}

async function attachedGuest(toolstack: Toolstack, text: string): Promise<AttachedGuest> {
  const domid = await findDomain(toolstack, text)
  if (domid === DOM0) throw new Refused('Domain-0 has no console of this kind')
  const { hypervisor, names, lifeCycle } = toolstack
  const uuid = hypervisor.domains.info(domid)?.uuid
  if (uuid === undefined) throw new NoSuchDomain(text)
  const isManaged = lifeCycle.managed(domid)?.uuid === uuid
  return { domid, uuid, name: names.nameOf(domid), isManaged }
}

const resumeSchema = v.object({
  domid: v.number(),
  uuid: v.string(),
  name: v.optional(v.string()),
  escapeCode: v.number(),
  writes: v.picklist(['no', 'shared', 'exclusive']),
})

/** @throws UsageError when it is not what an xcld of this version wrote */
function resumeFrom(text: string): { readonly guest: AttachedGuest; readonly how: ConsoleOptions } {
  try {
    const { domid, uuid, name, ...how } = v.parse(resumeSchema, JSON.parse(text))
    const number = domidFrom(String(domid))
    if (number === undefined) throw new UsageError(`${domid} is no domid`)
    return { guest: { domid: number, uuid, name, isManaged: false }, how }
  } catch (error) {
    throw new UsageError(`this attachment cannot be gone on with: ${String(error)}`)
  }
}
