import { expect, test } from 'vitest'
import { type ConsoleKeys, readConsoleKeys } from '../../../consoled/domains/console-keys.ts'
import type { Domid } from '../../../native/hypervisor.ts'

function keys(values: Readonly<Record<string, string>>): Promise<ConsoleKeys> {
  const read = async (path: string) => values[path.slice('/local/domain/7/'.length)]
  return readConsoleKeys({ read }, 7 as Domid)
}

test.each([
  ['1048576', 1_048_576],
  ['0x100000', 1_048_576],
  ['04000000', 1_048_576],
  ['0', 0],
  [' 4096\n', 4096],
  ['4096 bytes', 4096],
  ['much', undefined],
  ['', undefined],
])('a limit is read as strtoul reads it (%j)', async (limit, expected) => {
  expect((await keys({ 'console/limit': limit })).limit).toBe(expected)
})

test('a limit that is not there is none', async () => {
  expect((await keys({})).limit).toBeUndefined()
})

test.each([
  { 'console/ring-ref': '4711' },
  { 'console/port': '3' },
  { 'console/ring-ref': '4711', 'console/port': '0' },
  { 'console/ring-ref': '-1', 'console/port': '3' },
  { 'console/ring-ref': '99999999999999999999', 'console/port': '3' },
  { 'console/ring-ref': 'x', 'console/port': '3' },
])('there is no ring with %j', async (values) => {
  expect((await keys(values)).ring).toBeUndefined()
})

test('a console is ours when nobody says whose it is', async () => {
  const types = [undefined, 'xenconsoled', 'ioemu', '']
  const ours = types.map(async (type) => {
    return (await keys(type === undefined ? {} : { 'console/type': type })).isOurs
  })
  expect(await Promise.all(ours)).toEqual([true, true, false, false])
})
