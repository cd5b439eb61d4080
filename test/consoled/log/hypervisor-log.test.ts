import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HypervisorLog } from '../../../consoled/log/hypervisor-log.ts'
import { StampTime } from '../../../consoled/log/line-stamps.ts'
import { LogFiles } from '../../../consoled/log/log-files.ts'
import { aFolder } from '../../support/a-socket-peer.ts'

const STAMP = '[2026-01-02 03:04:05] '
const log = pino({ level: 'silent' })

let folder: ReturnType<typeof aFolder>
let files: LogFiles
let said: string
beforeEach(() => {
  folder = aFolder()
  files = new LogFiles({ maxOpen: 4 }, log)
  said = ''
})
afterEach(() => {
  files.close()
  folder.remove()
})

const path = () => join(folder.path, 'hypervisor.log')

function aLog(withTimestamps: boolean): HypervisorLog {
  const readConsoleRing = (index: number) => {
    const bytes = Buffer.from(said.slice(index), 'latin1')
    return { bytes, nextIndex: index + bytes.length }
  }
  const sinks = { files, path: path(), journal: undefined }
  const time = new StampTime(() => new Date(2026, 0, 2, 3, 4, 5))
  return new HypervisorLog({ readConsoleRing }, sinks, withTimestamps, time, log)
}

test('a stamped log says when it was opened, and opened again', () => {
  const hypervisor = aLog(true)
  said = '(XEN) one\n(XEN) two\n'
  hypervisor.copy()
  files.flush()
  hypervisor.reopen()
  said += '(XEN) three\n'
  hypervisor.copy()
  files.flush()
  const lines = ['Logfile Opened', '(XEN) one', '(XEN) two', 'Logfile Opened', '(XEN) three']
  expect(readFileSync(path(), 'latin1')).toBe(lines.map((line) => `${STAMP}${line}\n`).join(''))
})

test('a raw log holds what Xen says, and nothing else', () => {
  const hypervisor = aLog(false)
  said = '(XEN) one\n'
  hypervisor.copy()
  hypervisor.reopen()
  expect(readFileSync(path(), 'latin1')).toBe('(XEN) one\n')
})
