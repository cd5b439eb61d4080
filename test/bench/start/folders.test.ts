import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LogDirectory } from '../../../bench/start/log-directory.ts'
import { RunDirectory } from '../../../bench/start/run-directory.ts'

let folder: string
let link: string
const tmpdirBefore = process.env.TMPDIR

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'xcl-test-'))
  link = join(folder, 'run')
  process.env.TMPDIR = join(folder, 'tmp')
  mkdirSync(process.env.TMPDIR)
})

afterEach(() => {
  if (tmpdirBefore === undefined) delete process.env.TMPDIR
  else process.env.TMPDIR = tmpdirBefore
  rmSync(folder, { recursive: true, force: true })
})

describe("a run's folder", () => {
  test("is its user's alone, is found through the link, and leaves nothing", () => {
    const directory = RunDirectory.make(link)
    expect(statSync(directory.path).mode & 0o777).toBe(0o700)
    expect(readlinkSync(link)).toBe(directory.path)
    directory.remove()
    directory.remove()
    expect(readdirSync(folder)).toEqual(['tmp'])
    expect(readdirSync(join(folder, 'tmp'))).toEqual([])
  })

  test('of a run that was killed is removed by the next one, and so is its link', () => {
    const old = join(folder, 'tmp', 'xcl-start-old')
    mkdirSync(old)
    const { pid } = spawnSync('true')
    writeFileSync(join(old, 'start.pid'), `${pid}\n`)
    symlinkSync(old, link)
    const directory = RunDirectory.make(link)
    expect(existsSync(old)).toBe(false)
    expect(readlinkSync(link)).toBe(directory.path)
  })

  test('one that is just being made, and one of another program, are left alone', () => {
    for (const name of ['xcl-start-new', 'other']) mkdirSync(join(folder, 'tmp', name))
    RunDirectory.make(link)
    expect(readdirSync(join(folder, 'tmp'))).toEqual(
      expect.arrayContaining(['other', 'xcl-start-new']),
    )
  })

  test('below too long a path is refused, for sockets would not fit', () => {
    process.env.TMPDIR = join(folder, 'x'.repeat(90))
    mkdirSync(process.env.TMPDIR)
    expect(() => RunDirectory.make(link)).toThrow('set TMPDIR to a shorter one')
    expect(readdirSync(process.env.TMPDIR)).toEqual([])
  })
})

describe("a run's logs", () => {
  test('those of the last three runs are kept, and those of runs that go on', () => {
    const { pid } = spawnSync('true')
    const names = [
      `2026-01-01T00-00-00-${process.ppid}`,
      ...['2026-01-02', '2026-01-03', '2026-01-04'].map((day) => `${day}T00-00-00-${pid}`),
    ]
    for (const name of [...names, 'notes'])
      mkdirSync(join(folder, 'logs', name), { recursive: true })
    const logs = LogDirectory.in(join(folder, 'logs'), new Date('2026-01-05T01:02:03Z'))
    logs.settle(true)
    expect(logs.path).toBe(join(folder, 'logs', `2026-01-05T01-02-03-${process.pid}`))
    expect(readdirSync(join(folder, 'logs')).sort()).toEqual([
      names[0],
      names[2],
      names[3],
      `2026-01-05T01-02-03-${process.pid}`,
      'notes',
    ])
  })

  test('a folder with something in it is refused: logs of two runs would be mixed', () => {
    expect(() => LogDirectory.at(folder)).toThrow('is not empty')
  })

  test('only those that nobody asked for are removed', () => {
    const asked = LogDirectory.at(join(folder, 'asked'))
    const own = LogDirectory.in(join(folder, 'logs'), new Date())
    asked.settle(false)
    own.settle(false)
    expect([asked, own].map(({ path }) => existsSync(path))).toEqual([true, false])
  })
})
