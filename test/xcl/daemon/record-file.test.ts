import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fc, test as property } from '@fast-check/vitest'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Place, RecordFile } from '../../../xcl/daemon/record-file.ts'
import { aFolder } from '../../support/a-socket-peer.ts'

let folder: ReturnType<typeof aFolder>
let path: string
beforeEach(() => {
  folder = aFolder()
  path = join(folder.path, 'records')
})
afterEach(() => folder.remove())

function uuidOf(number: number): string {
  return `00000000-0000-0000-0000-${String(number).padStart(12, '0')}`
}

/** What the file holds, for who opens it now: `state uuid text`, sorted. */
function content(): string[] {
  const lines: string[] = []
  const places: [string, Place][] = []
  const file = new RecordFile(path, ({ state, uuid, place }) => {
    places.push([`${state} ${uuid}`, place])
  })
  for (const [head, place] of places) lines.push(`${head} ${file.textAt(place)}`)
  file.close()
  return lines.sort()
}

const step = fc.record({
  what: fc.constantFrom('add', 'remove', 'setState', 'reopen'),
  which: fc.nat(7),
  length: fc.nat(3000),
})

property.prop([fc.array(step, { maxLength: 40 })])(
  'what was added and not removed is there, whatever came and went before',
  (steps) => {
    writeFileSync(path, '')
    let file = new RecordFile(path, () => undefined)
    const expected = new Map<string, { state: string; text: string }>()
    const places = new Map<string, Place>()
    for (const [i, { what, which, length }] of steps.entries()) {
      const uuids = [...expected.keys()]
      const uuid = uuids[which % Math.max(1, uuids.length)] ?? ''
      const place = places.get(uuid)
      const known = expected.get(uuid)
      if (what === 'add') {
        const text = 'x'.repeat(length)
        places.set(uuidOf(i), file.add('a', uuidOf(i), text))
        expected.set(uuidOf(i), { state: 'a', text })
      } else if (what === 'reopen') {
        file.close()
        file = new RecordFile(path, ({ uuid, place }) => void places.set(uuid, place))
      } else if (place !== undefined && known !== undefined && what === 'setState') {
        file.setState(place, 'z')
        known.state = 'z'
      } else if (place !== undefined) {
        file.remove(place)
        expected.delete(uuid)
      }
    }
    file.close()
    const lines = [...expected].map(([uuid, { state, text }]) => `${state} ${uuid} ${text}`)
    expect(content()).toEqual(lines.sort())
  },
)

test('places of records that have gone are used again', () => {
  const file = new RecordFile(path, () => undefined)
  const sizes: number[] = []
  for (let round = 0; round < 3; round++) {
    const places = Array.from({ length: 100 }, (_, i) => file.add('a', uuidOf(i), 'text'))
    sizes.push(statSync(path).size)
    for (const place of places) file.remove(place)
  }
  file.close()
  expect(new Set(sizes).size).toBe(1)
})

test('a part is changed in place', () => {
  const file = new RecordFile(path, () => undefined)
  const place = file.add('a', uuidOf(1), '{"number":null }')
  file.patch(place, 10, '12345')
  expect(file.textAt(place)).toBe('{"number":12345}')
  file.close()
})

test('wherever a kill cuts the file off, what was written before is there', () => {
  const file = new RecordFile(path, () => undefined)
  file.add('a', uuidOf(1), 'first')
  const before = content()
  const size = statSync(path).size
  file.add('a', uuidOf(2), 'y'.repeat(700))
  const whole = readFileSync(path)
  file.close()
  for (const cut of [0, 1, 43, 44, 45, 500]) {
    const start = Math.ceil(size / 512) * 512
    writeFileSync(path, whole)
    truncateSync(path, start + cut)
    // The byte that makes it valid is written last.
    if (cut > 0) {
      const cutOff = readFileSync(path)
      cutOff.write('-', start)
      writeFileSync(path, cutOff)
    }
    expect(content()).toEqual(before)
    const next = new RecordFile(path, () => undefined)
    next.add('a', uuidOf(3), 'third')
    next.close()
    expect(content()).toEqual([...before, `a ${uuidOf(3)} third`])
  }
})

test('a record that is too long is refused', () => {
  const file = new RecordFile(path, () => undefined)
  expect(() => file.add('a', uuidOf(0), 'z'.repeat(6_000_000))).toThrow(/too long/)
  file.add('a', uuidOf(1), 'first')
  file.close()
  expect(content()).toEqual([`a ${uuidOf(1)} first`])
})
