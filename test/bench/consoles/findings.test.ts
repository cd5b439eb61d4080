import { describe, expect, it } from 'vitest'
import { type Beside, type BesideFigures, defectiveRows } from '../../../bench/consoles/beside.ts'
import type { DaemonName } from '../../../bench/consoles/daemons.ts'
import { defectsOf, type Finding, type Target } from '../../../bench/consoles/findings.ts'

const finding = (value: number, target?: Target): Finding => ({
  name: `found ${value}`,
  unit: '',
  value,
  ...(target === undefined ? {} : { target }),
})

describe('what makes the bench of consoles fail', () => {
  it('is an exact target that is missed, or of which nothing is known', () => {
    const none: Target = { bound: 0, isExact: true }
    const all: Target = { bound: 100, isAtLeast: true, isExact: true }
    const missed = [finding(1, none), finding(99, all), finding(Number.NaN, none)]
    const held = [finding(0, none), finding(100, all)]
    expect(defectsOf([...held, ...missed])).toEqual(missed)
  })

  it('is no figure of this computer, and nothing that has no target', () => {
    expect(defectsOf([finding(99, { bound: 15 }), finding(99)])).toEqual([])
  })

  it('is a line that consoled lost or repeated beside others, not one that others lost', () => {
    const row = (daemon: DaemonName, lostLines: number, repeatedLines: number): Beside => {
      const figures: BesideFigures = {
        startS: 1,
        cpuPerCent: 1,
        simulatorPerCent: 1,
        privateKiB: 1,
        lostLines,
        repeatedLines,
        noticeMs: 1,
      }
      const limits = { ptyMax: 1, ptyTaken: 0, openFiles: 1 }
      return { guests: 100, daemon, limits, outcome: figures }
    }
    const ours = [row('consoled', 1, 0), row('consoled --tty always', 0, 1)]
    const others = [row('consoled', 0, 0), row('xenconsoled', 5, 5), row('floor', 1, 0)]
    expect(defectiveRows([...others, ...ours])).toEqual(ours)
  })
})
