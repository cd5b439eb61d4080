import { expect, it } from 'vitest'
import { AtMost } from '../../../consoled/domains/at-most.ts'

/** Tasks that end when they are told to, and who has begun. */
function tasks() {
  const begun: string[] = []
  const ends = new Map<string, { resolve: () => void; reject: (error: Error) => void }>()
  const task = (name: string) => () => {
    begun.push(name)
    return new Promise<void>((resolve, reject) => {
      ends.set(name, { resolve, reject })
    })
  }
  return { begun, task, end: (name: string) => ends.get(name) }
}

it('begins what it may at once, and the others in their order as those end', async () => {
  const { begun, task, end } = tasks()
  const gate = new AtMost(2)
  const all = ['a', 'b', 'c', 'd'].map((name) => gate.run(task(name)))
  expect(begun).toEqual(['a', 'b'])
  end('b')?.resolve()
  await all[1]
  expect(begun).toEqual(['a', 'b', 'c'])
  end('a')?.resolve()
  await all[0]
  expect(begun).toEqual(['a', 'b', 'c', 'd'])
})

it('tells whoever asked how a task ended, and goes on behind one that failed', async () => {
  const { begun, task, end } = tasks()
  const gate = new AtMost(1)
  const first = gate.run(task('first'))
  const second = gate.run(task('second'))
  end('first')?.reject(new Error('no'))
  await expect(first).rejects.toThrow('no')
  end('second')?.reject(new Error('nor this'))
  await expect(second).rejects.toThrow('nor this')
  expect(begun).toEqual(['first', 'second'])
})

it('lets as many go on as before when it was empty meanwhile', async () => {
  const { begun, task, end } = tasks()
  const gate = new AtMost(1)
  for (const name of ['a', 'b']) {
    const run = gate.run(task(name))
    end(name)?.resolve()
    await run
  }
  expect(begun).toEqual(['a', 'b'])
})
