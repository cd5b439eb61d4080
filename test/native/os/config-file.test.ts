import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  configText,
  type OptionSpec,
  parseCommandLine,
  UsageError,
} from '../../../native/os/command-line.ts'
import { withConfigFile } from '../../../native/os/config-file.ts'
import { aFolder } from '../../support/a-socket-peer.ts'

const SPECS: readonly OptionSpec[] = [
  { name: 'config', value: { kind: 'text', metavar: 'FILE' }, isCommandLineOnly: true, help: '' },
  {
    name: 'path',
    value: { kind: 'text', metavar: 'PATH' },
    env: 'THE_PATH',
    default: '/d',
    help: '',
  },
  { name: 'number', value: { kind: 'number', metavar: 'N', max: 9 }, help: '' },
  { name: 'flag', value: { kind: 'flag' }, help: '' },
  {
    name: 'limit',
    value: { kind: 'setting', metavar: 'WHAT=N', names: ['a', 'b'] },
    isRepeatable: true,
    help: '',
  },
  { name: 'help', value: { kind: 'flag' }, isAction: true, help: '' },
]

let folder: ReturnType<typeof aFolder>
let file: string
beforeEach(() => {
  folder = aFolder()
  file = join(folder.path, 'lixs.conf')
})
afterEach(() => folder.remove())

/** The lines that `--print-config` shows, with this in the file. */
function config(text: string, argv: string[] = [], env: NodeJS.ProcessEnv = {}): string[] {
  writeFileSync(file, text)
  const settings = withConfigFile(SPECS, parseCommandLine(SPECS, argv, env), file, false)
  return configText(SPECS, settings, new Map()).replaceAll(folder.path, '').trimEnd().split('\n')
}

test('a line sets an option, and is told as its origin', () => {
  expect(config('\npath = /x/y\n')).toContain('path = /x/y  # /lixs.conf:2')
})

test('comments and blank lines say nothing', () => {
  const text = '# number = 5\n\n   \nnumber = 7   # seven\npath = /a#b\n'
  expect(config(text)).toEqual(
    expect.arrayContaining(['number = 7  # /lixs.conf:4', 'path = /a#b  # /lixs.conf:5']),
  )
})

test('flags and environment are stronger than the file, the file than the default', () => {
  const text = 'path = /file'
  expect(config(text, ['--path', '/flag'], { THE_PATH: '/env' })).toContain('path = /flag  # flag')
  expect(config(text, [], { THE_PATH: '/env' })).toContain('path = /env  # environment')
  expect(config(text)).toContain('path = /file  # /lixs.conf:1')
  expect(config('')).toContain('path = /d  # default')
})

test.each([
  ['yes', 'true'],
  ['on', 'true'],
  ['no', 'false'],
  ['off', 'false'],
])('a flag is %s', (text, shown) => {
  expect(config(`flag = ${text}`)[3]).toMatch(`flag = ${shown}  #`)
})

test('what may be repeated stands side by side, or on lines of its own', () => {
  expect(config('limit = a=1 b=2\nlimit = a=3\n')).toContain('limit = a=1 b=2 a=3  # /lixs.conf:2')
})

test('of what may not be repeated the last line counts', () => {
  expect(config('number = 1\nnumber = 2\n')).toContain('number = 2  # /lixs.conf:2')
})

test.each([
  ['number', '/lixs.conf:1: "number" is not NAME = VALUE'],
  ['\nnonsense = 5', '/lixs.conf:2: there is no setting "nonsense"'],
  ['help = yes', '/lixs.conf:1: there is no setting "help"'],
  ['config = /other', '/lixs.conf:1: there is no setting "config"'],
  ['number = many', '/lixs.conf:1: number: "many" is not a number from 0 to 9'],
  ['number =', '/lixs.conf:1: number needs a value'],
  ['flag = maybe', '/lixs.conf:1: flag: "maybe" is neither yes nor no'],
  ['limit = a=1 c=2', '/lixs.conf:1: limit: "c=2" is not WHAT=N, with a, b'],
])('%j is told with its place', (text, sentence) => {
  expect(() => config(text)).toThrow(UsageError)
  expect(() => config(text)).toThrow(sentence)
})

test('a file that is missing is an error only when it was asked for', () => {
  const settings = parseCommandLine(SPECS, [], {})
  expect(withConfigFile(SPECS, settings, file, true)).toEqual(settings)
  const sentence = `cannot read the configuration ${file} (ENOENT)`
  expect(() => withConfigFile(SPECS, settings, file, false)).toThrow(sentence)
  const isFolder = `cannot read the configuration ${folder.path} (EISDIR)`
  expect(() => withConfigFile(SPECS, settings, folder.path, true)).toThrow(isFolder)
})
