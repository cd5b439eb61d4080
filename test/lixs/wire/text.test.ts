import { expect, test } from 'vitest'
import { decodeErrno } from '../../../lixs/wire/errno.ts'
import { opName } from '../../../lixs/wire/ops.ts'
import { nulTerminated, splitStrings } from '../../../lixs/wire/text.ts'

test('strings of a payload end with a NUL each, and may be empty', () => {
  expect(splitStrings(Buffer.from('a\0\0b\0'))).toEqual(['a', '', 'b'])
  expect(splitStrings(Buffer.from(''))).toEqual([])
  expect(splitStrings(Buffer.from('a\0rest'))).toEqual(['a', 'rest'])
  expect([...nulTerminated('a')]).toEqual([0x61, 0])
})

test('an error that Xen does not know is EINVAL', () => {
  expect(decodeErrno(Buffer.from('ENOENT\0'))).toBe('ENOENT')
  expect(decodeErrno(Buffer.from('EQUOTA\0'))).toBe('EINVAL')
  expect(decodeErrno(Buffer.from(''))).toBe('EINVAL')
})

test('operations are named as in Xen, unknown ones by their number', () => {
  expect(opName(22)).toBe('DIRECTORY_PART')
  expect(opName(65535)).toBe('op 65535')
})
