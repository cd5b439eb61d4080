import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkOutput, writeOutput } from '../../../bench/start/output-file.ts'

let folder: string
let file: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'xcl-test-'))
  file = join(folder, 'out.json')
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('an old file stays until the new one is there as a whole', () => {
  writeFileSync(file, 'old', { mode: 0o600 })
  const reader = openSync(file, 'r')
  checkOutput(file)
  expect(readFileSync(file, 'utf8')).toBe('old')
  writeOutput(file, 'new')
  expect(readFileSync(file, 'utf8')).toBe('new')
  expect(readFileSync(reader, 'utf8')).toBe('old')
  closeSync(reader)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder)).toEqual(['out.json'])
})

test('a link stays, and what it points at is written, whether that is there or not', () => {
  const link = join(folder, 'link')
  symlinkSync('out.json', link)
  for (const content of ['first', 'second']) {
    checkOutput(link)
    writeOutput(link, content)
    expect(readFileSync(file, 'utf8')).toBe(content)
    expect(lstatSync(link).isSymbolicLink()).toBe(true)
  }
})

test('a device stays what it is', () => {
  checkOutput('/dev/null')
  writeOutput('/dev/null', 'text')
  expect(statSync('/dev/null').isCharacterDevice()).toBe(true)
})

test('a pipe gets the text and stays a pipe', () => {
  execFileSync('mkfifo', [file])
  const reader = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  checkOutput(file)
  writeOutput(file, 'text')
  const bytes = Buffer.alloc(16)
  expect(bytes.toString('utf8', 0, readSync(reader, bytes))).toBe('text')
  closeSync(reader)
  expect(statSync(file).isFIFO()).toBe(true)
})

test('what cannot be written is refused before, by a sentence', () => {
  expect(() => checkOutput(folder)).toThrow(`${folder} is a directory`)
  expect(() => checkOutput(join(folder, 'missing', 'out.json'))).toThrow('ENOENT')
  writeFileSync(file, '')
  expect(() => checkOutput(join(file, 'out.json'))).toThrow('ENOTDIR')
})
