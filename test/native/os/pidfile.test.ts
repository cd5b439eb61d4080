import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AlreadyRunning, PidFile } from '../../../native/os/pidfile.ts'
import { aFolder } from '../../support/a-socket-peer.ts'

let folder: ReturnType<typeof aFolder>
let path: string
beforeEach(() => {
  folder = aFolder()
  path = join(folder.path, 'made', 'daemon.pid')
})
afterEach(() => folder.remove())

test('holds the number of the process and a newline, and nothing of before', () => {
  const file = PidFile.lock(path)
  file.write(1_234_567)
  file.write(42)
  expect(readFileSync(path, 'utf8')).toBe('42\n')
  file.release()
  expect(readFileSync(path, 'utf8')).toBe('')
})

test('is held by one at a time, and says by whom', () => {
  const file = PidFile.lock(path)
  file.write(42)
  expect(() => PidFile.lock(path)).toThrow(AlreadyRunning)
  expect(() => PidFile.lock(path)).toThrow(/already running \(pid 42; .*daemon\.pid is locked\)/)
  expect(readFileSync(path, 'utf8')).toBe('42\n')
  file.release()
  PidFile.lock(path).release()
})

test('left behind by a killed one it is taken over, its content kept until we are ready', () => {
  PidFile.lock(path).release()
  writeFileSync(path, '42\n')
  const file = PidFile.lock(path)
  expect(readFileSync(path, 'utf8')).toBe('42\n')
  file.release()
})
