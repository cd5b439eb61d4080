import { fc, test as property } from '@fast-check/vitest'
import { expect, test } from 'vitest'
import { ParsedPath, parsePath } from '../../../lixs/store/path.ts'
import type { Domid } from '../../../native/hypervisor.ts'

function parse(text: string, homeDomid = 0, maxLength = 0): ParsedPath | undefined {
  const bytes = Buffer.from(`..${text}.`, 'latin1')
  const path = new ParsedPath()
  const isValid = parsePath(bytes, 2, bytes.length - 1, homeDomid as Domid, path, maxLength)
  return isValid ? path : undefined
}

function textOf(path: ParsedPath | undefined): string | undefined {
  return path && Buffer.from(path.bytes.subarray(0, path.length)).toString('latin1')
}

function componentsOf(path: ParsedPath | undefined): string[] | undefined {
  if (path === undefined) return undefined
  const bytes = Buffer.from(path.bytes)
  return Array.from({ length: path.count }, (_, i) =>
    bytes.toString('latin1', path.startOf(i), path.endOf(i)),
  )
}

test('an absolute path is cut at its slashes', () => {
  const path = parse('/local/domain/7/x')
  expect(componentsOf(path)).toEqual(['local', 'domain', '7', 'x'])
  expect(path).toMatchObject({ isRelative: false, isSpecial: false, prefixLength: 0 })
  expect(componentsOf(parse('/'))).toEqual([])
})

test('a relative path begins at home', () => {
  for (const domid of [0, 9, 10, 12345, 32751]) {
    const path = parse('device/vif', domid)
    expect(textOf(path)).toBe(`/local/domain/${domid}/device/vif`)
    expect(componentsOf(path)).toEqual(['local', 'domain', `${domid}`, 'device', 'vif'])
    expect(path?.prefixLength).toBe(`/local/domain/${domid}/`.length)
    expect(path?.isRelative).toBe(true)
  }
})

test('a special path keeps its @', () => {
  expect(parse('@releaseDomain')).toMatchObject({ isSpecial: true, isRelative: false, count: 1 })
  expect(componentsOf(parse('@releaseDomain/5'))).toEqual(['@releaseDomain', '5'])
  expect(parse('/a@b')).toMatchObject({ isSpecial: false })
})

test.each([
  '',
  '/a/',
  '//',
  '/a//b',
  'a//b',
  'a/',
  '/local/domain/',
  '@x/',
  '/a.b',
  'a b',
  '/a:b',
  '/ä',
  '/a+b',
])('not a path: %j', (text) => {
  expect(parse(text)).toBeUndefined()
})

test('the longest path counts without /local/domain/<domid>/, however it is spelled', () => {
  const long = 'x'.repeat(2048)
  expect(parse(long, 5, 2048)).toBeDefined()
  expect(parse(`${long}x`, 5, 2048)).toBeUndefined()
  expect(parse(`/local/domain/5/${long}`, 5, 2048)).toBeDefined()
  expect(parse(`/local/domain/12345/${long}`, 5, 2048)).toBeDefined()
  expect(parse(`/local/domain/123456/${long}`, 5, 2048)).toBeUndefined()
  expect(parse(`/${long.slice(1)}`, 5, 2048)).toBeDefined()
  expect(parse(`/${long}`, 5, 2048)).toBeUndefined()
  expect(parse(`/${'x'.repeat(4000)}`, 0, 0)).toBeDefined()
})

const name = fc.stringMatching(/^[A-Za-z0-9_@-]{1,12}$/)

property.prop([fc.array(name, { minLength: 1, maxLength: 40 })])(
  'cutting undoes joining',
  (names) => {
    const path = parse(`/${names.join('/')}`)
    expect(componentsOf(path)).toEqual(names)
    const first = names[0] as string
    const relative = parse(names.join('/'), 42)
    if (!first.startsWith('@')) {
      expect(componentsOf(relative)).toEqual(['local', 'domain', '42', ...names])
    }
  },
)

property.prop([fc.uint8Array({ maxLength: 60 })])('any bytes are a path or are not', (bytes) => {
  const path = new ParsedPath()
  const text = Buffer.from(bytes).toString('latin1')
  const isPath =
    /^[A-Za-z0-9\-/_@]+$/.test(text) &&
    !text.includes('//') &&
    (text === '/' || !text.endsWith('/'))
  expect(parsePath(bytes, 0, bytes.length, 3 as Domid, path, 0)).toBe(isPath)
})
