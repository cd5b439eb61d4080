import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Domid } from '../../../native/hypervisor.ts'
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
  record = {
    uuid: UUID,
    domid: undefined,
    config,
    openDisks: [{ path: '/img', major: 7, minor: 3 }],
    isLeftPaused: true,
    quickDeaths: 2,
  }
  await host.stop()
})
afterEach(() => folder.remove())

function inodesIn(name: string): number[] {
  const path = join(folder.path, name)
  return readdirSync(path)
    .map((file) => statSync(join(path, file)).ino)
    .sort()
}

test('what is written is read again', () => {
  const journal = new Journal(folder.path)
  journal.begin(record)
  expect(journal.halfMade()).toEqual({ records: [record], broken: [] })
  journal.complete(UUID)
  expect(journal.domains()).toEqual({ records: [record], broken: [] })
})

test('the domid is in the record from the moment that Xen has given it', () => {
  const journal = new Journal(folder.path)
  journal.begin(record)
  const domid = 32_751 as Domid
  journal.assign(UUID, domid)
  expect(journal.halfMade().records).toEqual([{ ...record, domid }])
})

test('a record that cannot be written leaves the one before it whole', () => {
  const journal = new Journal(folder.path)
  journal.begin(record)
  mkdirSync(join(folder.path, 'spare', '2'))
  expect(() => journal.begin({ ...record, quickDeaths: 3 })).toThrow()
  expect(journal.halfMade().records).toEqual([record])
})

test('files of domains that are no more are written again, also what a kill left of a write', () => {
  const before = new Journal(folder.path)
  before.begin({ ...record, config: { ...record.config, cmdline: 'long '.repeat(100) } })
  before.remove(UUID)
  before.beginRestart(record)
  before.endRestart(UUID)
  writeFileSync(join(folder.path, 'spare', '7'), '{"uu')
  const inodes = inodesIn('spare')
  expect(inodes).toHaveLength(2)

  const journal = new Journal(folder.path)
  journal.begin(record)
  journal.beginRestart(record)
  expect(journal.halfMade().records).toEqual([record])
  expect(journal.restarts().records).toEqual([record])
  expect([...inodesIn('journal'), ...inodesIn('restarts')].sort()).toEqual(inodes)
  expect(inodesIn('spare')).toEqual([])
})

test('a record that cannot be read is known by the name of its file, and stays', () => {
  const journal = new Journal(folder.path)
  const file = join(folder.path, 'journal', `${UUID}.json`)
  writeFileSync(file, '')
  expect(journal.halfMade().broken).toMatchObject([{ file, uuid: UUID }])
  expect(readdirSync(join(folder.path, 'journal'))).toEqual([`${UUID}.json`])
})
