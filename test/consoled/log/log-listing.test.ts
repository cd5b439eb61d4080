import { closeSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { LogListing } from '../../../consoled/log/log-listing.ts'
import { FileFacts } from '../../../native/os/log-writer.ts'

it('passes over what cannot be looked at', () => {
  const dir = mkdtempSync(join(tmpdir(), 'consoled-'))
  // Whatever the order in which the directory is read, one of them comes before the file.
  for (const name of ['a', 'z']) symlinkSync(name, join(dir, name))
  writeFileSync(join(dir, 'm'), '')
  const facts = new FileFacts()
  closeSync(facts.open(join(dir, 'm')))
  expect(new LogListing(dir).find(facts.identity)).toBe(join(dir, 'm'))
  rmSync(dir, { recursive: true })
})

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
