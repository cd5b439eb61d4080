import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Domid } from '../../../native/hypervisor.ts'
import { type DomainRecord, Journal } from '../../../xcl/daemon/journal.ts'
import { RecordFile } from '../../../xcl/daemon/record-file.ts'
import { JournalFailed } from '../../../xcl/output/errors.ts'
import { aFolder } from '../../support/a-socket-peer.ts'
import { aDisk, TestHost } from '../a-host.ts'

const UUID = '6a1ec31f-2ad1-4d23-9f9b-3a2f6d1f9c01'

let folder: ReturnType<typeof aFolder>
let record: DomainRecord
beforeEach(async () => {
  folder = aFolder()
  const host = new TestHost()
  const config = host.config({ uuid: UUID, disks: [aDisk(), aDisk({ target: '/img/b' })] })
  record = {
    uuid: UUID,
    domid: undefined,
    config,
    diskIdentities: ['file 2049:131', 'device 253:3'],
    openDisks: [{ path: '/img/a', major: 7, minor: 3 }],
    isLeftPaused: true,
    quickDeaths: 2,
  }
  await host.stop()
})
afterEach(() => folder.remove())

test('what is written is read again, also by the next one', () => {
  const journal = new Journal(folder.path)
  journal.begin(record)
  expect(journal.halfMade()).toEqual({ records: [record], broken: [] })
  journal.complete(UUID)
  journal.beginRestart({ ...record, quickDeaths: 3 })
  journal.close()
  const next = new Journal(folder.path)
  expect(next.halfMade()).toEqual({ records: [], broken: [] })
  expect(next.domains()).toEqual({ records: [record], broken: [] })
  expect(next.restarts().records).toEqual([{ ...record, quickDeaths: 3 }])
  next.remove(UUID)
  next.endRestart(UUID)
  expect(new Journal(folder.path).domains().records).toEqual([])
  expect(new Journal(folder.path).restarts().records).toEqual([])
})

test('the domid is in the record from the moment that Xen has given it', () => {
  const journal = new Journal(folder.path)
  journal.begin(record)
  const domid = 32_751 as Domid
  journal.assign(UUID, domid)
  expect(new Journal(folder.path).halfMade().records).toEqual([{ ...record, domid }])
})

test('a disk is in the record from the moment that it is open', () => {
  const journal = new Journal(folder.path)
  journal.begin({ ...record, openDisks: [] })
  expect(journal.halfMade().records).toMatchObject([{ openDisks: [] }])
  journal.opened(UUID, 0, { major: 7, minor: 0 })
  // The greatest numbers that Linux has.
  journal.opened(UUID, 1, { major: 4095, minor: 1_048_575 })
  expect(new Journal(folder.path).halfMade().records).toMatchObject([
    {
      diskIdentities: record.diskIdentities,
      openDisks: [
        { path: '/img/a', major: 7, minor: 0 },
        { path: '/img/b', major: 4095, minor: 1_048_575 },
      ],
    },
  ])
})

test('a record takes the place of the one before with its uuid', () => {
  const journal = new Journal(folder.path)
  journal.begin(record)
  journal.complete(UUID)
  journal.begin({ ...record, quickDeaths: 3 })
  journal.complete(UUID)
  expect(new Journal(folder.path).domains().records).toEqual([{ ...record, quickDeaths: 3 }])
})

test('a record that cannot be written is told with its file', () => {
  const journal = new Journal(folder.path)
  journal.close()
  const told = /^the journal \S+domains\.journal cannot be written/
  expect(() => journal.begin(record)).toThrow(told)
  expect(() => journal.begin(record)).toThrow(JournalFailed)
})

test('a record that cannot be understood is known by its uuid, and stays', () => {
  const file = new RecordFile(join(folder.path, 'domains.journal'), () => undefined)
  file.add('b', UUID, '{')
  file.close()
  expect(new Journal(folder.path).halfMade().broken).toMatchObject([{ uuid: UUID }])
  expect(new Journal(folder.path).halfMade().broken).toHaveLength(1)
})
