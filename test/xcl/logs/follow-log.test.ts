import {
  appendFileSync,
  copyFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { followLog } from '../../../xcl/logs/follow-log.ts'
import { openLogParts } from '../../../xcl/logs/log-files.ts'
import { aFolder } from '../../support/a-socket-peer.ts'
import { until } from '../a-host.ts'

let folder: { readonly path: string; remove(): void }
let path: string
let stop: AbortController
let following: Promise<void> | undefined
let shown = ''

beforeEach(() => {
  folder = aFolder()
  path = join(folder.path, 'guest-web.log')
  stop = new AbortController()
  shown = ''
  following = undefined
})
afterEach(async () => {
  stop.abort()
  await following
  folder.remove()
})

/** Follows the log from its end. */
async function follow(): Promise<void> {
  const [part] = await openLogParts(path)
  if (part === undefined) throw new Error('there is no log')
  const follower = {
    path,
    show: async (piece: Buffer) => {
      shown += piece.toString()
    },
    signal: stop.signal,
    after: (_: number, call: () => void) => {
      const soon = setImmediate(call)
      return () => clearImmediate(soon)
    },
  }
  following = followLog(follower, part, part.size)
}

async function shows(text: string): Promise<void> {
  await until(() => shown.length >= text.length)
  expect(shown).toBe(text)
}

test('what is appended is shown', async () => {
  writeFileSync(path, 'before\n')
  await follow()
  appendFileSync(path, 'one\n')
  await shows('one\n')
  appendFileSync(path, 'two\n')
  await shows('one\ntwo\n')
})

test('a log that is rotated is followed, with what its old file got last', async () => {
  writeFileSync(path, '')
  await follow()
  appendFileSync(path, 'one\n')
  await shows('one\n')
  renameSync(path, `${path}.1`)
  appendFileSync(`${path}.1`, 'two\n')
  writeFileSync(path, 'three\n')
  await shows('one\ntwo\nthree\n')
  appendFileSync(path, 'four\n')
  await shows('one\ntwo\nthree\nfour\n')
})

test('a log that is rotated several times at once is followed through all its files', async () => {
  writeFileSync(path, '')
  await follow()
  appendFileSync(path, 'one\n')
  await shows('one\n')
  renameSync(path, `${path}.2`)
  writeFileSync(`${path}.1`, 'two\n')
  writeFileSync(path, 'three\n')
  await shows('one\ntwo\nthree\n')
})

test('a log that is moved away is waited for', async () => {
  writeFileSync(path, '')
  await follow()
  renameSync(path, join(folder.path, 'elsewhere'))
  appendFileSync(join(folder.path, 'elsewhere'), 'one\n')
  await shows('one\n')
  writeFileSync(path, 'two\n')
  await shows('one\ntwo\n')
})

test('a log that is removed and made again is followed', async () => {
  writeFileSync(path, '')
  await follow()
  rmSync(path)
  writeFileSync(path, 'again\n')
  await shows('again\n')
})

test('a log that is copied and emptied is followed', async () => {
  writeFileSync(path, 'a long beginning\n')
  await follow()
  copyFileSync(path, `${path}.1`)
  truncateSync(path)
  appendFileSync(path, 'one\n')
  await shows('one\n')
})

test('ends when nobody wants to know any more', async () => {
  writeFileSync(path, '')
  await follow()
  stop.abort()
  await following
  appendFileSync(path, 'too late\n')
  expect(shown).toBe('')
})
