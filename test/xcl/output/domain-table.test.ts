import { describe, expect, test } from 'vitest'
import { domainTable, type ListedDomain } from '../../../xcl/output/domain-table.ts'

const RUNNING: ListedDomain = {
  name: 'Domain-0',
  domid: 0,
  uuid: '00000000-0000-0000-0000-000000000000',
  memoryKiB: 1024 * 1024,
  vcpus: 1,
  isRunning: true,
  isBlocked: false,
  isPaused: false,
  isShutdown: false,
  shutdownReason: null,
  isDying: false,
  cpuSeconds: 12.34,
  devices: null,
}
const BLOCKED = { ...RUNNING, name: 'demo', domid: 17, isRunning: false, isBlocked: true }
const CRASHED: ListedDomain = {
  ...RUNNING,
  name: null,
  domid: 123,
  isRunning: false,
  isShutdown: true,
  shutdownReason: 'crash',
  isDying: true,
  memoryKiB: 1535,
}

describe('the table of domains', () => {
  test('has the columns of xl list', () => {
    expect(domainTable([RUNNING, BLOCKED, CRASHED], false)).toBe(
      [
        'Name                                        ID   Mem VCPUs\tState\tTime(s)',
        'Domain-0                                     0  1024     1     r-----      12.3',
        'demo                                        17  1024     1     -b----      12.3',
        '(null)                                     123     1     1     ---scd      12.3',
        '',
      ].join('\n'),
    )
  })

  test.each([
    ['poweroff', '---s--'],
    ['reboot', '---sr-'],
    ['suspend', '---ss-'],
    ['crash', '---sc-'],
    ['watchdog', '---sw-'],
    ['soft-reset', '---sS-'],
  ] as const)('shows a shutdown by %s as %s', (shutdownReason, letters) => {
    const domain = { ...RUNNING, isRunning: false, isShutdown: true, shutdownReason }
    expect(domainTable([domain], false)).toContain(`     ${letters}  `)
  })

  test('adds uuid and reason when asked', () => {
    const [, row] = domainTable([CRASHED], true).split('\n')
    expect(row).toMatch(/ 00000000-0000-0000-0000-000000000000 {4}crash$/)
  })
})
