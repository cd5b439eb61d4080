import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TraceFile } from '../../lixs/trace-file.ts'
import { turn } from '../support/a-daemon.ts'
import { aFolder } from '../support/a-socket-peer.ts'

let folder: ReturnType<typeof aFolder>
let file: string
beforeEach(() => {
  folder = aFolder()
  file = join(folder.path, 'made', 'trace')
})
afterEach(() => folder.remove())

const text = (path = file): string => readFileSync(path, 'utf8')

test('lines are in the file after one turn of the event loop', async () => {
  const trace = new TraceFile(file)
  trace.open()
  trace.write('one\n')
  trace.write('two\n')
  expect(text()).toBe('')
  await turn()
  expect(text()).toBe('one\ntwo\n')
  trace.close()
})

test('nobody but root and its group may read it', () => {
  const trace = new TraceFile(file)
  trace.open()
  expect(statSync(file).mode & 0o777).toBe(0o640)
  trace.close()
})

test('closed it is complete, and takes no more', async () => {
  const trace = new TraceFile(file)
  trace.open()
  trace.write('one\n')
  trace.close()
  trace.write('two\n')
  await turn()
  expect(text()).toBe('one\n')
})

test('more than the buffer holds is written in order', () => {
  const trace = new TraceFile(file)
  trace.open()
  const lines = Array.from({ length: 2000 }, (_, i) => `${i} ${'x'.repeat(90)}\n`)
  for (const line of lines) trace.write(line)
  trace.close()
  expect(text()).toBe(lines.join(''))
})

test('reopened after it was moved away, it goes on in a new file', () => {
  const trace = new TraceFile(file)
  trace.open()
  trace.write('before\n')
  renameSync(file, `${file}.1`)
  trace.reopen()
  trace.write('after\n')
  trace.close()
  expect([text(`${file}.1`), text()]).toEqual(['before\n', 'after\n'])
})

test('not open it is not opened by a reopening', () => {
  new TraceFile(file).reopen()
  expect(existsSync(file)).toBe(false)
})

test('a file that cannot be opened leaves the old one in use', () => {
  const trace = new TraceFile(file)
  trace.open()
  expect(() => trace.open(folder.path)).toThrow('EISDIR')
  trace.write('still\n')
  trace.close()
  expect([trace.file, text()]).toEqual([file, 'still\n'])
})

test('a named pipe that nobody reads is an error, not a wait', () => {
  const pipe = join(folder.path, 'pipe')
  execFileSync('mkfifo', [pipe])
  expect(() => new TraceFile(pipe).open()).toThrow('ENXIO')
})
