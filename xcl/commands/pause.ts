import { DOM0, type Domid } from '../../native/hypervisor.ts'
import { Refused } from '../output/errors.ts'
import type { Toolstack } from '../toolstack.ts'
import { type CommandSpec, type Invocation, JSON_OPTION } from './command.ts'
import { findDomain, forEach } from './domain-argument.ts'

const PARAMETERS = [{ syntax: '<domain...>', help: 'names, domids or uuids' }]

export const pause: CommandSpec = {
  name: 'pause',
  summary: 'stop the vcpus of guests',
  parameters: PARAMETERS,
  options: [JSON_OPTION],
  examples: [{ line: 'xcl pause demo', does: 'memory stays, nothing runs' }],
  run: (invocation) =>
    each(invocation, (toolstack, domid) => {
      if (domid === DOM0) throw new Refused('Domain-0 runs the toolstack and cannot be paused')
      toolstack.hypervisor.domains.pause(domid)
    }),
}

export const unpause: CommandSpec = {
  name: 'unpause',
  summary: 'let the vcpus of paused guests run',
  parameters: PARAMETERS,
  options: [JSON_OPTION],
  examples: [{ line: 'xcl unpause demo', does: 'goes on where it was paused' }],
  run: (invocation) =>
    each(invocation, (toolstack, domid) => toolstack.hypervisor.domains.unpause(domid)),
}

async function each(
  { toolstack, session, args }: Invocation,
  work: (toolstack: Toolstack, domid: Domid) => void,
): Promise<number> {
  await forEach(session, args, String, async (arg) =>
    work(toolstack, await findDomain(toolstack, arg)),
  )
  return 0
}
