import { DOM0 } from '../../native/hypervisor.ts'
import { Refused } from '../output/errors.ts'
import type { CommandSpec } from './command.ts'
import { attachConsole, escapeFrom } from './console-target.ts'
import { findDomain } from './domain-argument.ts'

export const attach: CommandSpec = {
  name: 'console',
  summary: "attach to a guest's console; Ctrl-] leaves",
  parameters: [{ syntax: '<domain>', help: 'name, domid or uuid' }],
  options: [
    { flags: '-e, --escape <char>', help: 'character that leaves (default ^])' },
    { flags: '--ro', help: 'only look: nothing typed reaches the guest' },
  ],
  examples: [
    { line: 'xcl console demo', does: 'read and type; Ctrl-] leaves' },
    { line: 'xcl console -e ^A demo', does: 'Ctrl-A leaves' },
  ],
  run: async ({ toolstack, session, options, args }) => {
    const escapeCode = escapeFrom(options.value('escape'))
    const domid = await findDomain(toolstack, args[0] ?? '')
    if (domid === DOM0) throw new Refused('Domain-0 has no console of this kind')
    await attachConsole(toolstack, session, domid, { escapeCode, isReadOnly: options.has('ro') })
    await session.detached
    return session.signal.aborted ? 130 : 0
  },
}
