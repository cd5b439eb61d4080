import { cancelCreation, destroyDomain } from '../domain/destroy.ts'
import { type CommandSpec, JSON_OPTION } from './command.ts'
import { findDomain, forEach } from './domain-argument.ts'

export const destroy: CommandSpec = {
  name: 'destroy',
  summary: 'end guests at once, as if their power was cut',
  parameters: [{ syntax: '<domain...>', help: 'names, domids or uuids' }],
  options: [JSON_OPTION],
  examples: [
    { line: 'xcl destroy demo', does: 'end one guest' },
    { line: 'xcl destroy 5 6 7', does: 'end several, by domid' },
  ],
  run: async ({ toolstack, session, args }) => {
    await forEach(session, args, String, async (arg) => {
      // One that is to come back after its end is only wanted, yet it has a name.
      if (toolstack.restarts.cancel(arg)) return
      const creation = toolstack.names.creationOf(arg)
      if (creation === undefined) return destroyDomain(toolstack, await findDomain(toolstack, arg))
      await cancelCreation(toolstack, creation)
    })
    return 0
  },
}
