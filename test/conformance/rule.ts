import { test } from 'vitest'
import type { Conversation, Peer } from '../support/a-conversation.ts'
import { theChecklist } from './conformance-list.ts'

const RULES = new Map(theChecklist().map(({ id, rule }) => [id, rule]))

/** A test of one item of docs/conformance.md, under its number and in its words. */
export function rule(id: string, body: () => void | Promise<void>): void {
  const words = RULES.get(id)
  if (words === undefined) throw new Error(`docs/conformance.md has no ${id}`)
  test(`${id} ${words}`, body)
}

/** A guest with a home of its own, as toolstacks make it. */
export function aGuestAtHome(talk: Conversation, tool: Peer, domid: number): Peer {
  const guest = talk.guest(domid)
  tool.ask('MKDIR', `/local/domain/${domid}|`)
  tool.ask('SET_PERMS', `/local/domain/${domid}|n${domid}|`)
  tool.heard()
  guest.heard()
  return guest
}

/** Sets quotas of one domain; the others keep theirs. */
export function limit(tool: Peer, domid: number, quotas: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(quotas)) {
    const said = tool.answer('SET_QUOTA', `${domid}|${name}|${value}|`)
    if (said !== 'SET_QUOTA OK|') throw new Error(`${name}: ${said}`)
  }
}
