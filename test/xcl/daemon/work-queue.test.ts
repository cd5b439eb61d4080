import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { WorkQueue } from '../../../xcl/daemon/work-queue.ts'

test('so much is done at once, the rest in order, and a failure holds nothing up', async () => {
  const queue = new WorkQueue(2)
  const begun: number[] = []
  const ends: ((error?: Error) => void)[] = []
  const works = [0, 1, 2, 3, 4].map((id) =>
    queue.add(async () => {
      begun.push(id)
      await new Promise<void>((resolve, reject) => {
        ends[id] = (error) => (error === undefined ? resolve() : reject(error))
      })
      return id
    }),
  )
  expect(begun).toEqual([0, 1])
  ends[1]?.(new Error('told to fail'))
  await expect(works[1]).rejects.toThrow('told to fail')
  await setImmediate()
  expect(begun).toEqual([0, 1, 2])
  ends[0]?.()
  expect(await works[0]).toBe(0)
  await setImmediate()
  expect(begun).toEqual([0, 1, 2, 3])
  for (const end of ends) end()
  expect(await works[3]).toBe(3)
  await setImmediate()
  ends[4]?.()
  expect(await works[4]).toBe(4)
  expect(begun).toEqual([0, 1, 2, 3, 4])
})
