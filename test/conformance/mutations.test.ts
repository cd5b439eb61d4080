import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Choice } from './draw.ts'

test('each mutation finds its place in the sources, once, and changes it', () => {
  const { length } = new Choice().all()
  expect(length).toBeGreaterThan(100)
  const lost = new Choice()
    .all()
    .filter(({ mutation: { file, find, replace } }) => {
      return find === replace || readFileSync(file, 'utf8').split(find).length !== 2
    })
    .map(({ id, mutation: { file, find } }) => `${id}: ${file}: ${find}`)
  expect(lost).toEqual([])
})

test('a run breaks as many rules as it is told to, of both pages, and the same for the same seed', () => {
  const choice = new Choice()
  const drawn = choice.draw(20, 7)
  const ids = drawn.map(({ id }) => id)
  expect(new Set(ids).size).toBe(20)
  expect(ids.filter((id) => id.startsWith('console:'))).toHaveLength(6)
  // Each of them builds the addon.
  expect(drawn.filter(({ mutation }) => mutation.isNative).length).toBeLessThanOrEqual(2)
  expect(choice.draw(20, 7)).toEqual(drawn)
  expect(choice.draw(20, 8)).not.toEqual(drawn)
})

test('an item is found by its page and number', () => {
  const choice = new Choice()
  const files = choice.of(['console:7.5']).map(({ mutation }) => mutation.file)
  expect(files).toEqual(['consoled/main.ts', 'consoled/main.ts'])
  expect(choice.of(['3.1']).map(({ mutation }) => mutation.file)).toEqual(['lixs/store/path.ts'])
  expect(() => choice.of(['3.1', 'console:99.1'])).toThrow('console:99.1')
})
