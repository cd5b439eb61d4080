import { expect, test } from 'vitest'
import { jsonOf, jsonText } from '../../../bench/start/json.ts'
import { report } from '../../../bench/start/report.ts'
import { windowsOf } from '../../../bench/start/windows.ts'
import { someResults } from './some-results.ts'

test('the file has the keys that scripts know', () => {
  const json = jsonOf(someResults({ errors: ['create g00007: no room'] }))
  expect(json).toMatchObject({
    guests: 1000,
    ready: 999,
    errors: 1,
    errorTexts: ['create g00007: no room'],
    ringRequests: 12_345,
    wallS: 12.346,
    slope: { create: 1.5, ready: 1.333 },
    pids: [process.pid, 4, 8, 4, 9],
    logDir: '/logs',
    runDir: '/run/of/it',
  })
  expect(json.createMs['200']).toEqual({ p50: 2, p99: 2 })
  expect(json.readyMs['1000']).toEqual({ p50: 4, p99: 4 })
  expect(json.daemons.lixs).toMatchObject({ cpuS: 1.5, rssKiB: 102_400 })
  expect(Object.keys(json.daemons)).toEqual(['lixs', 'consoled', 'xcld', 'simulator'])
})

test('a phase that was not asked for has no key', () => {
  expect(Object.keys(jsonOf(someResults()))).not.toContain('idle')
})

test('where nothing was created, the slope is null and the file is still JSON', () => {
  const latencies = { create: [], xcld: [], ready: [] }
  const { slope } = JSON.parse(jsonText(someResults({ latencies })))
  expect(slope).toEqual({ create: null, ready: null })
})

test('fewer than two full windows have no slope', () => {
  const windows = windowsOf(new Float64Array(399).fill(1))
  const latencies = { create: windows, xcld: windows, ready: windows }
  expect(jsonOf(someResults({ latencies })).slope).toEqual({ create: null, ready: null })
})

test('how guests are asked for is told, and how many were late', () => {
  expect(jsonOf(someResults({ late: 3 }))).toMatchObject({ pacing: 'ready', late: 3 })
  expect(report(someResults({ late: 3 })).join('\n')).toContain('but for 3 that were late')
})
