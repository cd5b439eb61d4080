import { NoSuchDomain } from '../output/errors.ts'
import type { CommandSpec } from './command.ts'
import { findDomain } from './domain-argument.ts'

export const domid: CommandSpec = {
  name: 'domid',
  summary: 'print the domid of a name or uuid',
  parameters: [{ syntax: '<name>', help: 'name or uuid' }],
  options: [],
  examples: [{ line: 'xcl domid demo', does: 'prints a number' }],
  run: async ({ toolstack, session, args }) => {
    session.stdout(`${await findDomain(toolstack, args[0] ?? '')}\n`)
    return 0
  },
}

export const domname: CommandSpec = {
  name: 'domname',
  summary: 'print the name of a domid or uuid',
  parameters: [{ syntax: '<domid>', help: 'domid or uuid' }],
  options: [],
  examples: [{ line: 'xcl domname 5', does: 'prints a name' }],
  run: async ({ toolstack, session, args }) => {
    const text = args[0] ?? ''
    const found = await findDomain(toolstack, text)
    await toolstack.store.client()
    await toolstack.names.refreshed()
    const name = toolstack.names.nameOf(found)
    if (name === undefined) throw new NoSuchDomain(`with a name has the number ${text}`)
    session.stdout(`${name}\n`)
    return 0
  },
}
