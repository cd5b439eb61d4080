import { lstatSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CommandServer } from '../../../xcl/daemon/server.ts'
import { aFolder } from '../../support/a-socket-peer.ts'

let folder: ReturnType<typeof aFolder>
beforeEach(() => {
  folder = aFolder()
})
afterEach(() => folder.remove())

const RUN = async (): Promise<number> => 0

test('a file that is no socket is not touched', async () => {
  const path = join(folder.path, 'precious.cfg')
  writeFileSync(path, 'keep me')
  await expect(CommandServer.listen(path, RUN)).rejects.toThrow(/no socket; it is left alone/)
  expect(readFileSync(path, 'utf8')).toBe('keep me')
})

test('a socket that a killed daemon left is replaced', async () => {
  const path = join(folder.path, 'xcld.sock')
  const left = createServer()
  await new Promise<void>((resolve) => left.listen(path, resolve))
  const server = await CommandServer.listen(path, RUN)
  expect(lstatSync(path).isSocket()).toBe(true)
  server.close()
  expect(lstatSync(path, { throwIfNoEntry: false })).toBeUndefined()
  left.close()
})
