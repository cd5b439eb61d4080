import { readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openLog } from '../../../native/os/log.ts'
import { aFolder } from '../../support/a-socket-peer.ts'

let folder: ReturnType<typeof aFolder>
beforeEach(() => {
  folder = aFolder()
})
afterEach(() => folder.remove())

const messages = (file: string): string[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line).msg)

test('lines are in the file when the call returns, those below the level are not', () => {
  const file = join(folder.path, 'made', 'log')
  const { log } = openLog({ name: 'test', level: 'info', file })
  log.info('one')
  log.debug('two')
  log.child({ subsystem: 'x' }).warn('three')
  expect(messages(file)).toEqual(['one', 'three'])
})

test('reopened after the file was moved, it goes on in a new one', () => {
  const file = join(folder.path, 'log')
  const { log, reopen } = openLog({ name: 'test', level: 'info', file })
  log.info('before')
  renameSync(file, `${file}.1`)
  reopen()
  log.info('after')
  expect(messages(`${file}.1`)).toEqual(['before'])
  expect(messages(file)).toEqual(['after'])
})

test('switched to another file, or told why that cannot be', () => {
  const file = join(folder.path, 'log')
  const { log, switchTo } = openLog({ name: 'test', level: 'info', file })
  expect(() => switchTo(join(folder.path, 'none', 'log'))).toThrow('ENOENT')
  log.info('here')
  switchTo(`${file}.other`)
  log.info('there')
  expect(messages(file)).toEqual(['here'])
  expect(messages(`${file}.other`)).toEqual(['there'])
})
