import { describe, expect, it } from 'vitest'
import { ScanPace } from '../../consoled/scan-pace.ts'
import { ManualClock } from './manual-clock.ts'

function aPace(scanCostMs = 0) {
  const clock = new ManualClock()
  const scans: number[] = []
  const pace = new ScanPace(clock, () => {
    scans.push(clock.nowMs())
    clock.spend(scanCostMs)
  })
  return { clock, scans, pace }
}

describe('ScanPace', () => {
  it('scans at once on the first request', () => {
    const { scans, pace } = aPace()
    pace.request()
    expect(scans).toEqual([0])
  })

  it('scans at most 20 times a second, and once more after the last request', () => {
    const { clock, scans, pace } = aPace()
    for (let i = 0; i < 1000; i++) {
      pace.request()
      clock.advance(1)
    }
    clock.advance(1000)
    expect(scans).toEqual(Array.from({ length: 21 }, (_, i) => i * 50))
  })

  it('spends at most a tenth of the time on scans that take long', () => {
    const { clock, scans, pace } = aPace(20)
    for (let i = 0; i < 100; i++) {
      pace.request()
      clock.advance(10)
    }
    expect(scans).toEqual([0, 200, 400, 600, 800, 1000])
  })

  it('lets a scan wait when it is told that there is time', () => {
    const { clock, scans, pace } = aPace()
    pace.request(1000)
    clock.advance(999)
    expect(scans).toEqual([])
    clock.advance(1)
    expect(scans).toEqual([1000])
  })

  it('brings a waiting scan forward for one that cannot wait', () => {
    const { clock, scans, pace } = aPace()
    pace.request(1000)
    pace.request()
    expect(scans).toEqual([0])
    clock.advance(5000)
    expect(scans).toEqual([0])
  })

  it('scans no more once closed', () => {
    const { clock, scans, pace } = aPace()
    pace.request(10)
    pace.close()
    clock.advance(100)
    expect(scans).toEqual([])
  })
})
