import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { logTail } from '../../../bench/start/log-tail.ts'

test('events and sentences are read alike; only the last lines are shown', () => {
  const folder = mkdtempSync(join(tmpdir(), 'xcl-test-'))
  const file = join(folder, 'lixs.log')
  const lines = [
    ...Array.from({ length: 9 }, (_, i) => `old ${i}`),
    '{"level":30,"time":1,"pid":2,"hostname":"h","name":"lixs","domid":7,"msg":"ring mapped"}',
    '{"level":60,"time":1,"pid":2,"name":"lixs","err":{"message":"it broke"},"msg":"a defect"}',
    'lixs: the simulated machine has gone',
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  expect(logTail(file)).toEqual([
    'old 6',
    'old 7',
    'old 8',
    'ring mapped domid=7',
    'fatal: a defect: it broke',
    'lixs: the simulated machine has gone',
  ])
  expect(logTail(join(folder, 'none.log'))).toEqual([])
  rmSync(folder, { recursive: true })
})
