import { fc, test as property } from '@fast-check/vitest'
import { expect, test } from 'vitest'
import { RestoreFailure } from '../../../lixs/live-update/stream-reader.ts'
import type { Domid } from '../../../native/hypervisor.ts'
import { aStore } from '../store/a-store.ts'
import { bytesOf, restoredFrom, sourceOf, TestHandover } from './a-saved-store.ts'

/** Something of everything that a stream can hold. */
function aStream(): Buffer {
  const store = aStore()
  const handover = new TestHandover()
  store.socket()
  const socket = store.socket()
  handover.addSocket(1, 5)
  store.guest(7)
  handover.addRing(2, 7, 9)
  socket.write('/z', '')
  socket.write('/a/b', 'value')
  socket.setPerms('/a/b', 'n7 r0')
  socket.watch('/a', 'token')
  handover.input.set(2, Buffer.from('abc'))
  store.store.settings.setQuota(7 as Domid, 'nodes', 17)
  return bytesOf(sourceOf(store, handover, { changedQuotas: new Map([['watches', 5]]) }))
}

const STREAM = aStreamOnce()
function aStreamOnce(): () => Buffer {
  let made: Buffer | undefined
  return () => {
    made ??= aStream()
    return Buffer.from(made)
  }
}

/** @returns the sentence; undefined when it was restored */
function refusal(bytes: Uint8Array): string | undefined {
  try {
    restoredFrom(bytes)
    return undefined
  } catch (error) {
    if (error instanceof RestoreFailure) return error.message
    throw error
  }
}

test('a stream that is cut anywhere before its end is refused with a sentence', () => {
  const stream = STREAM()
  // Behind the END of upstream's part there may be nothing.
  const end = stream.indexOf('lixs-ext')
  for (let length = 0; length < end; length += 7) {
    expect(refusal(stream.subarray(0, length))).toMatch(/^the saved state /)
  }
  expect(refusal(stream.subarray(0, end))).toBeUndefined()
})

test.each<[string, (stream: Buffer) => void, string]>([
  ['another magic', (stream) => stream.write('xenstort'), 'has no header of its kind'],
  ['an unknown version', (stream) => stream.writeUInt32BE(3, 8), 'versions 1 and 2 can be read'],
  ['big-endian records', (stream) => stream.writeUInt32BE(1, 12), 'of a big-endian machine'],
  ['a record longer than the rest', (stream) => stream.writeUInt32LE(2 ** 31, 20), 'longer than'],
  ['a record that is not padded', (stream) => stream.writeUInt32LE(7, 20), 'is not padded'],
  ['a first record that is not the global one', (stream) => stream.writeUInt32LE(5, 16), 'global'],
  [
    'a node without a letter',
    (stream) => stream.write('q', stream.indexOf('n\0\0\0/\0')),
    'a permission without a letter',
  ],
  [
    'a node twice',
    (stream) => stream.write('/a', stream.indexOf('/z\0')),
    'is node /a, and it comes twice',
  ],
  [
    'a node without its parent',
    (stream) => stream.write('/q', stream.indexOf('/a/b\0')),
    'is node /q/b, and its parent does not come before it',
  ],
  [
    'a string that does not end where it should',
    (stream) => stream.write('x', stream.indexOf('/tool\0') + 5),
    'holds a string that does not end where it should',
  ],
  [
    'a path that is none',
    (stream) => stream.write('/t..l', stream.indexOf('/tool\0')),
    'its path is not valid',
  ],
  [
    'a watch of no connection',
    (stream) => stream.writeUInt32LE(99, stream.indexOf('/a\0token\0') - 8),
    'is a watch of no connection',
  ],
])('%s is refused, and told', (_, damage, sentence) => {
  const stream = STREAM()
  damage(stream)
  expect(refusal(stream)).toContain(sentence)
})

property.prop(
  [fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 })],
  { numRuns: 300 },
)('whatever bytes are changed, it is restored or refused, and nothing else', (changes) => {
  const stream = STREAM()
  for (const [at, byte] of changes) stream[at % stream.length] = byte
  expect(refusal(stream) ?? 'restored').toMatch(/^(the saved state |restored$)/)
})
