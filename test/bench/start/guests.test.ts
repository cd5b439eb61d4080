import { expect, test } from 'vitest'
import { Counter } from '../../../bench/start/counter.ts'
import { Guests } from '../../../bench/start/guests.ts'
import { News } from '../../../bench/start/news.ts'

/** Guests of which the first one was asked for, and a way to let a machine say something. */
async function someNews() {
  const guests = new Guests('g', 3)
  guests.requested(0)
  const news = new News()
  news.follow(guests)
  let say: (words: string[]) => void = () => undefined
  await news.listen({
    onNews: async (handler) => {
      say = handler
    },
  })
  const ready = (name: string, nonce: string | undefined): void =>
    say(['ready', '1', name, nonce ?? '', String(process.hrtime.bigint())])
  return { guests, news, ready, say: (line: string) => say(line.split(' ')) }
}

test('a guest may be READY before whoever asked for it has the answer', async () => {
  const { guests, ready } = await someNews()
  ready('g00001', guests.nonces[0])
  guests.created(0, 1, 'a uuid', 0.5)
  expect(guests.ready.value).toBe(1)
  expect(guests.readyMs[0]).toBeGreaterThan(0)
  expect(guests.createMs[0]).toBeGreaterThanOrEqual(guests.readyMs[0] ?? Number.NaN)
  expect(guests.errors).toEqual([])
})

test('the nonce of another guest, and a second READY, are errors', async () => {
  const { guests, ready } = await someNews()
  ready('g00001', guests.nonces[1])
  expect(guests.ready.value).toBe(0)
  ready('g00001', guests.nonces[0])
  ready('g00001', guests.nonces[0])
  expect(guests.ready.value).toBe(1)
  expect(guests.errors).toEqual([
    `g00001 is READY with the nonce ${guests.nonces[1]} instead of ${guests.nonces[0]}`,
    'g00001 says READY twice',
  ])
})

test('guests that are not of the row are nobody', async () => {
  const { guests, ready } = await someNews()
  for (const name of ['g00004', 'g00000', 'w00001', 'gx']) ready(name, 'x')
  expect(guests.ready.value).toBe(0)
  expect(guests.errors).toEqual([])
})

test('what guests see go wrong is trouble, and so is a death that nobody meant', async () => {
  const { news, say } = await someNews()
  say('broken 7 a reply for a request that was never sent')
  say('shutdown 8 crash 123')
  news.expectDeaths()
  say('shutdown 9 crash 124')
  expect(news.troubles).toEqual([
    'domain 7: a reply for a request that was never sent',
    'domain 8 shut down by itself (crash)',
  ])
})

test('front ends are counted by kind', async () => {
  const { news, say } = await someNews()
  say('connected 7 vif 0 1')
  say('connected 7 vif 1 2')
  say('connected 7 vbd 51712 3')
  expect([news.connected.vif.value, news.connected.vbd.value]).toEqual([2, 1])
})

test('who waits for a number hears when it is reached, and when nothing comes any more', async () => {
  const counter = new Counter()
  const reached = counter.reaches(2, 60_000)
  counter.add()
  counter.add()
  expect(await reached).toBe(true)
  expect(await counter.reaches(1, 60_000)).toBe(true)
  expect(await counter.reaches(3, 1)).toBe(false)
})

test('one guest is waited for, whoever else becomes READY meanwhile', async () => {
  const { guests, ready } = await someNews()
  const first = guests.untilReady(0, 60_000)
  ready('g00002', guests.nonces[1])
  ready('g00001', guests.nonces[0])
  expect(await first).toBe(true)
  expect(await guests.untilReady(1, 60_000)).toBe(true)
  expect(await guests.untilReady(2, 1)).toBe(false)
})
