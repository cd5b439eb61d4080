import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ConsoleTty } from '../../../consoled/tty/console-tty.ts'
import { until } from '../console-guest.ts'

let published: string[]
let typed: string
let heldUp: boolean[]
let ptys: number
let dropped: number
let tty: ConsoleTty
let slaves: number[]

function aTty(overflow: 'discard' | 'keep' = 'discard'): ConsoleTty {
  return new ConsoleTty(
    {
      domid: 7,
      type: (bytes) => {
        typed += Buffer.from(bytes).toString('latin1')
        return bytes.length
      },
      holdUp: (isHeldUp) => heldUp.push(isHeldUp),
      publishTty: (path) => published.push(path),
    },
    {
      overflow,
      lendDescriptors: () => undefined,
      counters: {
        pty: (count) => {
          ptys += count
        },
        ttyDropped: (bytes) => {
          dropped += bytes
        },
      },
      log: pino({ level: 'silent' }),
    },
  )
}

beforeEach(() => {
  published = []
  typed = ''
  heldUp = []
  ptys = 0
  dropped = 0
  slaves = []
  tty = aTty()
})
afterEach(() => {
  tty.close()
  expect(ptys).toBe(0)
  for (const slave of slaves) closeSync(slave)
})

function openSlave(path = published.at(-1) ?? ''): number {
  const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants
  const slave = openSync(path, O_RDWR | O_NOCTTY | O_NONBLOCK)
  slaves.push(slave)
  return slave
}

function shown(slave: number): string {
  const into = Buffer.alloc(65_536)
  return into.toString('latin1', 0, readSync(slave, into))
}

const show = (text: string): void => tty.show(Buffer.from(text), 0, text.length)
const hungUp = new Error('read EIO')

test('a terminal that fails is made anew, and whoever follows the key finds what was not shown', async () => {
  tty.provide('', 100_000)
  // Nobody reads: the kernel takes some of it, the rest waits.
  show('old '.repeat(10_000))
  tty.ptyFailed(hungUp)
  expect(published).toHaveLength(2)
  expect(published[1]).not.toBe(published[0])
  expect(ptys).toBe(1)
  const slave = openSlave()
  show('new')
  let text = ''
  await until(() => {
    try {
      text += shown(slave)
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('EAGAIN')
    }
    return text.endsWith('new')
  })
  expect(text.startsWith('old old ')).toBe(true)
  expect(text.length).toBeLessThan(40_003)
  writeSync(slave, 'typed')
  await until(() => typed === 'typed')
})

test('one that fails before it has done anything is not made anew for ever', () => {
  tty.provide('', undefined)
  tty.ptyFailed(hungUp)
  expect([published.length, ptys]).toEqual([1, 0])
  show('nobody sees this')
  // Asked for again, it is there again.
  tty.provide('', undefined)
  expect([published.length, ptys]).toEqual([2, 1])
})

test('one that was made anew while the store was away is told of when the store is back', () => {
  tty.provide('', undefined)
  const [before = ''] = published
  show('x')
  tty.ptyFailed(hungUp)
  const now = published.at(-1) ?? ''
  // What was said of it has not reached the store.
  published = []
  tty.provide(before, undefined)
  expect(published).toEqual([now])
  tty.provide(now, undefined)
  expect(published).toEqual([now])
  expect(ptys).toBe(1)
})

test('a guest that a full terminal held up goes on when the terminal is gone', () => {
  tty = aTty('keep')
  tty.provide('', 1)
  show('x'.repeat(100_000))
  expect(heldUp).toEqual([true])
  tty.ptyFailed(hungUp)
  tty.ptyFailed(hungUp)
  expect(heldUp.at(-1)).toBe(false)
})

test('what is dropped because nobody reads is counted', () => {
  tty.provide('', 10_000)
  for (let i = 0; i < 100; i++) show('y'.repeat(2000))
  const slave = openSlave()
  const inKernel = shown(slave).length
  expect(dropped).toBeGreaterThan(200_000 - 12_500 - 2 * 65_536)
  expect(dropped).toBeLessThan(200_000 - 7_500 - inKernel)
})
