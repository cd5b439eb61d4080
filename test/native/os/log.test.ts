import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, renameSync } from 'node:fs'
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

test('the level of one subsystem, or of all, is changed while it runs', () => {
  const file = join(folder.path, 'log')
  const { log, levels } = openLog({ name: 'test', level: 'info', file })
  const child = log.child({ subsystem: 'domains' })
  expect(levels.set('debug', 'domains')).toBe(true)
  child.debug('one')
  log.debug('two')
  expect(levels.set('warn')).toBe(true)
  child.info('three')
  log.warn('four')
  expect(messages(file)).toEqual(['one', 'four'])
  expect([...levels.current()]).toEqual([
    ['test', 'warn'],
    ['domains', 'warn'],
  ])
  expect(levels.set('debug', 'nonsense')).toBe(false)
})

test.each([
  {},
  { JOURNAL_STREAM: '1:1' },
])('a reader of stderr who has gone ends nobody (%j)', async (env) => {
  const program = `
    import { openLog } from './native/os/log.ts'
    const { log } = openLog({ name: 'test', level: 'info', file: undefined })
    process.on('uncaughtException', (error) => { log.fatal(error.message); process.exit(70) })
    process.stdin.once('data', () => {
      for (let i = 0; i < 3; i++) log.info('nobody reads this')
      throw new Error('a defect')
    })
    log.info('ready')`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { ...process.env, JOURNAL_STREAM: '', ...env },
  })
  await once(child.stderr, 'data')
  child.stderr.destroy()
  await once(child.stderr, 'close')
  child.stdin.write('go')
  expect(await once(child, 'close')).toEqual([70, null])
})

test('a file that cannot be opened again is gone on with', () => {
  const below = join(folder.path, 'made')
  const file = join(below, 'log')
  const { log, reopen } = openLog({ name: 'test', level: 'info', file })
  renameSync(below, `${below}.1`)
  reopen()
  log.info('after')
  expect(existsSync(file)).toBe(false)
  expect(messages(join(`${below}.1`, 'log'))).toEqual(['after'])
})
