import { closeSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { LogListing } from '../../../consoled/log/log-listing.ts'
import { FileFacts } from '../../../native/os/log-writer.ts'

it('says where files are, reads the directory once, and ends', () => {
  const dir = mkdtempSync(join(tmpdir(), 'consoled-'))
  const identities = ['a', 'b'].map((name) => {
    writeFileSync(join(dir, name), '')
    const facts = new FileFacts()
    closeSync(facts.open(join(dir, name)))
    return facts.identity
  })
  renameSync(join(dir, 'a'), join(dir, 'c'))
  const listing = new LogListing(dir)
  const find = () => identities.map((identity) => listing.find(identity))
  expect(find()).toEqual([join(dir, 'c'), join(dir, 'b')])
  renameSync(join(dir, 'b'), join(dir, 'd'))
  expect(find()).toEqual([join(dir, 'c'), join(dir, 'b')])
  expect(listing.find(Int32Array.of(1, 2, 3, 4))).toBeUndefined()
  listing.end()
  expect(find()).toEqual([undefined, undefined])
  rmSync(dir, { recursive: true })
})
