import { describe, expect, it } from 'vitest'
import { besideTable } from '../../../bench/consoles/beside.ts'
import { limitsNow, whyNoTerminals } from '../../../bench/consoles/terminals.ts'

const LIMITS = { ptyMax: 4096, ptyTaken: 32, openFiles: 1024 }
const FIGURES = {
  startS: 1,
  cpuPerCent: 2,
  simulatorPerCent: 3,
  privateKiB: 1024,
  lostLines: 4,
  repeatedLines: 4,
  noticeMs: Number.POSITIVE_INFINITY,
}

describe('terminals for guests', () => {
  it('are those that others do not have, less some for others', () => {
    expect(whyNoTerminals(4000, LIMITS)).toBeUndefined()
    expect(whyNoTerminals(4001, LIMITS)).toBe(
      'not started: it makes 4001 terminals; kernel.pty.max is 4096, others have 32, and 64 are left to them',
    )
  })

  it('are told by the kernel', () => {
    const { ptyMax, ptyTaken } = limitsNow()
    expect(ptyMax).toBeGreaterThan(0)
    expect(ptyTaken).toBeLessThanOrEqual(ptyMax)
  })
})

describe('daemons side by side', () => {
  const table = (outcome: typeof FIGURES | string) =>
    besideTable([{ guests: 100, daemon: 'xenconsoled', limits: LIMITS, outcome }]).join('\n')

  it('tell of lost and of repeated lines, and of what came too late', () => {
    expect(table(FIGURES)).toMatch(/xenconsoled .* 4\.00 +4\.00 +> 10 s /)
  })

  it('tell why one was not started, and what the kernel allows', () => {
    expect(table('not started: why')).toContain('failed: not started: why')
    expect(table(FIGURES)).toContain('kernel.pty.max 4096')
  })
})
