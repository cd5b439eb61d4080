import { afterAll, beforeAll, describe, test } from 'vitest'
import { type Conversation, hintRequests, type Peer } from '../support/a-conversation.ts'
import { theChecklist } from './conformance-list.ts'

const RULES = new Map(theChecklist().map(({ id, rule }) => [id, rule]))

/**
 * Tests of one item of docs/conformance.md, under its number and in its words: of a conversation whose requests
 * come with the nodes that they name, as native code finds them, and of one in which every path is looked at.
 */
export function rule(id: string, body: () => void | Promise<void>): void {
  const title = titleOf(id)
  test(title, body)
  describe('without hints', () => {
    beforeAll(() => hintRequests(false))
    afterAll(() => hintRequests(true))
    test(`${title} (without hints)`, body)
  })
}

/** The only test of an item that no conversation shows. */
export function ruleOfProcess(id: string, body: () => void | Promise<void>): void {
  test(titleOf(id), body)
}

function titleOf(id: string): string {
  const words = RULES.get(id)
  if (words === undefined) throw new Error(`docs/conformance.md has no ${id}`)
  return `${id} ${words}`
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
