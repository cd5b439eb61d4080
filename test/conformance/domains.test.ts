import { afterEach, beforeEach, expect, vi } from 'vitest'
import { RowTable } from '../../lixs/store/row-table.ts'
import { DOMAIN_GONE } from '../../native/hypervisor.ts'
import { aConversation, type Conversation, type Peer } from '../support/a-conversation.ts'
import { aGuestAtHome, rule } from './rule.ts'

let talk: Conversation
let tool: Peer
beforeEach(() => {
  talk = aConversation({ saysWhich: true })
  tool = talk.tool()
})
afterEach(() => {
  vi.restoreAllMocks()
  talk.end()
})

/** How often the tables of the store are looked at while something happens. */
function looks(happens: () => void): number {
  const get = vi.spyOn(RowTable.prototype, 'get')
  happens()
  const { length } = get.mock.calls
  get.mockRestore()
  return length
}

/** A guest with three nodes, a watch and an open transaction. */
function aResident(domid: number): void {
  const guest = aGuestAtHome(talk, tool, domid)
  guest.ask('WRITE', 'a|x')
  guest.ask('WRITE', 'b|x')
  guest.ask('WATCH', 'a|t|')
  guest.start()
}

rule('9.4', () => {
  for (let domid = 1; domid <= 10; domid++) aResident(domid)
  const released = looks(() => tool.ask('RELEASE', '5|'))
  const died = looks(() => {
    talk.changes.push(6, DOMAIN_GONE)
    talk.virq()
  })
  expect(talk.asked.states).toBe(0)
  for (let domid = 11; domid <= 55; domid++) aResident(domid)
  expect(looks(() => tool.ask('RELEASE', '40|'))).toBeLessThanOrEqual(released + 3)
  talk.changes.push(41, DOMAIN_GONE)
  expect(looks(() => talk.virq())).toBeLessThanOrEqual(died + 3)
  expect(talk.asked.states).toBe(0)
})
