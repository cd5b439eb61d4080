import { describe, expect, it } from 'vitest'
import { ListingPace } from '../../native/listing-pace.ts'
import { ManualClock } from '../consoled/manual-clock.ts'

function aPace(listingCostMs = 0) {
  const clock = new ManualClock()
  const listings: number[] = []
  const pace = new ListingPace(clock, () => {
    listings.push(clock.nowMs())
    clock.spend(listingCostMs)
  })
  return { clock, listings, pace }
}

describe('the pace of listings', () => {
  it('lists at once on the first request', () => {
    const { listings, pace } = aPace()
    pace.request()
    expect(listings).toEqual([0])
  })

  it('lists at most 20 times a second, and once more after the last request', () => {
    const { clock, listings, pace } = aPace()
    for (let i = 0; i < 1000; i++) {
      pace.request()
      clock.advance(1)
    }
    clock.advance(1000)
    expect(listings).toEqual(Array.from({ length: 21 }, (_, i) => i * 50))
  })

  it('spends at most a tenth of the time on listings that take long', () => {
    const { clock, listings, pace } = aPace(20)
    for (let i = 0; i < 100; i++) {
      pace.request()
      clock.advance(10)
    }
    expect(listings).toEqual([0, 200, 400, 600, 800, 1000])
  })

  it('lets what is explained wait, so that it costs a two-hundredth of the time', () => {
    const { clock, listings, pace } = aPace(2)
    pace.request()
    clock.advance(98)
    for (let i = 0; i < 120; i++) {
      pace.requestLater()
      clock.advance(10)
    }
    expect(listings).toEqual([0, 498, 898, 1298])
  })

  it('lists at once for those who do not wait only when the last listing is long past', () => {
    const { clock, listings, pace } = aPace(2)
    pace.requestCheaply()
    pace.requestCheaply()
    clock.advance(397)
    expect(listings).toEqual([0])
    clock.advance(1)
    expect(listings).toEqual([0, 400])
    clock.advance(5000)
    pace.requestCheaply()
    expect(listings).toEqual([0, 400, 5402])
  })

  it('makes sure within a second, however long a listing takes', () => {
    const { clock, listings, pace } = aPace(50)
    pace.request()
    clock.advance(1000)
    pace.requestLater()
    clock.advance(999)
    expect(listings).toEqual([0])
    clock.advance(1)
    expect(listings).toEqual([0, 2050])
  })

  it('makes up for one during which the process was kept waiting within a second', () => {
    const { clock, listings, pace } = aPace(4000)
    pace.request()
    pace.request()
    clock.advance(1000)
    expect(listings).toEqual([0, 5000])
  })

  it('brings a waiting listing forward for one that cannot wait', () => {
    const { clock, listings, pace } = aPace()
    pace.requestLater()
    pace.request()
    expect(listings).toEqual([0])
    clock.advance(5000)
    expect(listings).toEqual([0])
  })

  it('lists no more once closed', () => {
    const { clock, listings, pace } = aPace()
    pace.requestLater()
    pace.close()
    clock.advance(100)
    expect(listings).toEqual([])
  })
})
