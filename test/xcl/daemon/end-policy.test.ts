import { describe, expect, test } from 'vitest'
import { SHUTDOWN_REASONS, type ShutdownReason } from '../../../native/hypervisor.ts'
import { type DomainConfig, END_ACTIONS } from '../../../xcl/config/domain-config.ts'
import {
  decideEnd,
  MAX_QUICK_DEATHS,
  QUICK_DEATH_MS,
  retiredName,
} from '../../../xcl/daemon/end-policy.ts'

const LONG = QUICK_DEATH_MS
const CONFIG: DomainConfig = {
  name: 'demo',
  uuid: undefined,
  type: 'pv',
  kernel: '/k',
  ramdisk: undefined,
  cmdline: '',
  memoryKiB: 1024,
  maxMemoryKiB: 1024,
  vcpus: 1,
  maxVcpus: 1,
  maxGrantFrames: -1,
  maxMaptrackFrames: -1,
  maxEvtchnPort: 1023,
  vifs: [],
  disks: [],
  onPoweroff: 'destroy',
  onReboot: 'restart',
  onCrash: 'preserve',
  onWatchdog: 'rename-restart',
  onSoftReset: 'coredump-restart',
}

describe('the end of a domain', () => {
  test.each<[ShutdownReason, string]>([
    ['poweroff', 'destroy'],
    ['reboot', 'restart'],
    ['suspend', 'none'],
    ['crash', 'preserve'],
    ['watchdog', 'rename-restart'],
    ['soft-reset', 'restart'],
  ])('by %s is dealt with as configured: %s', (reason, action) => {
    expect(decideEnd(CONFIG, reason, LONG, 0).action).toBe(action)
  })

  test.each(END_ACTIONS)('with on_crash = %s says when it cannot do all of it', (onCrash) => {
    const { note } = decideEnd({ ...CONFIG, onCrash }, 'crash', LONG, 0)
    if (onCrash.startsWith('coredump')) expect(note).toMatch(/core dumps/)
    else expect(note).toBeUndefined()
  })

  test('soon after its start, time and again, is no longer followed by a restart', () => {
    let quickDeaths = 0
    const actions: string[] = []
    for (let i = 0; i < MAX_QUICK_DEATHS; i++) {
      const decision = decideEnd(CONFIG, 'reboot', QUICK_DEATH_MS - 1, quickDeaths)
      quickDeaths = decision.quickDeaths
      actions.push(decision.action)
    }
    expect(actions).toEqual([...Array(MAX_QUICK_DEATHS - 1).fill('restart'), 'destroy'])
  })

  test('after a long life forgives the short ones before', () => {
    expect(decideEnd(CONFIG, 'reboot', LONG, MAX_QUICK_DEATHS - 1)).toMatchObject({
      action: 'restart',
      quickDeaths: 0,
    })
  })

  test('has a setting for every reason but suspend', () => {
    const undecided = SHUTDOWN_REASONS.filter(
      (reason) => decideEnd(CONFIG, reason, LONG, 0).action === 'none',
    )
    expect(undecided).toEqual(['suspend'])
  })

  test('that keeps the old domain gives it a name with the time', () => {
    expect(retiredName('demo', Date.UTC(2026, 0, 31, 12, 5))).toBe('demo-20260131T1205Z')
  })
})
