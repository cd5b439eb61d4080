import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type DomainRecord, Journal } from '../../../xcl/daemon/journal.ts'
import { aFolder } from '../../support/a-socket-peer.ts'
import { TestHost } from '../a-host.ts'

const UUID = '6a1ec31f-2ad1-4d23-9f9b-3a2f6d1f9c01'

let folder: ReturnType<typeof aFolder>
let record: DomainRecord
beforeEach(async () => {
  folder = aFolder()
  const host = new TestHost()
  const config = host.config({ uuid: UUID })
  record = { uuid: UUID, domid: undefined, config, isLeftPaused: true, quickDeaths: 2 }
  await host.stop()
})
afterEach(() => folder.remove())

test('what is written is read again', () => {
  const journal = new Journal(folder.path)
  journal.begin(record)
  expect(journal.halfMade()).toEqual({ records: [record], broken: [] })
  journal.complete(UUID)
  expect(journal.domains()).toEqual({ records: [record], broken: [] })
})

test('a record that is rewritten is never there in part', () => {
  const journal = new Journal(folder.path)
  journal.begin(record)
  // The next content cannot be written: what was there stays whole.
  mkdirSync(join(folder.path, 'journal', `${UUID}.json.new`))
  expect(() => journal.begin({ ...record, quickDeaths: 3 })).toThrow()
  expect(journal.halfMade().records).toEqual([record])
})

test('what a kill left of a write is removed', () => {
  const journal = new Journal(folder.path)
  writeFileSync(join(folder.path, 'journal', `${UUID}.json.new`), '{"uu')
  expect(journal.halfMade()).toEqual({ records: [], broken: [] })
  expect(readdirSync(join(folder.path, 'journal'))).toEqual([])
})

test('a record that cannot be read is known by the name of its file, and stays', () => {
  const journal = new Journal(folder.path)
  const file = join(folder.path, 'journal', `${UUID}.json`)
  writeFileSync(file, '')
  expect(journal.halfMade().broken).toMatchObject([{ file, uuid: UUID }])
  expect(readdirSync(join(folder.path, 'journal'))).toEqual([`${UUID}.json`])
})
