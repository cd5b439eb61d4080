import { describe, expect, test } from 'vitest'
import {
  XenstoreConnectionLost,
  XenstoreError,
  XenstoreUnreachable,
} from '../../../lixs/client/errors.ts'
import { XenError } from '../../../native/xen-error.ts'
import {
  BatchFailed,
  ConfigError,
  errorText,
  explain,
  Interrupted,
  NameTaken,
  NoRoom,
  NoSuchDomain,
  Refused,
  TimedOut,
  UsageError,
} from '../../../xcl/output/errors.ts'

describe('an error', () => {
  test.each<[unknown, number]>([
    [new Error('anything'), 1],
    ['a thrown text', 1],
    [new Refused('not now'), 1],
    [new XenstoreUnreachable('/run/s', 'ENOENT'), 1],
    [new XenstoreConnectionLost('the daemon closed it'), 1],
    [new XenstoreError('EAGAIN', 'TRANSACTION_END', undefined), 1],
    [new XenError('domain_create', 'EINVAL', 22, 'EINVAL'), 1],
    [new UsageError('typed wrongly'), 2],
    [new ConfigError('no', undefined), 3],
    [new NoSuchDomain('demo'), 4],
    [new NameTaken('taken'), 4],
    [new XenError('domain_pause', 'ESRCH', 3, 'ESRCH'), 4],
    [new XenError('interface_open', 'EACCES', 13, 'EACCES'), 5],
    [new XenstoreUnreachable('/run/s', 'EACCES'), 5],
    [new XenstoreError('EACCES', 'WRITE', '/a'), 5],
    [new XenError('dom_boot_mem_init', 'ENOMEM', 12, 'ENOMEM'), 6],
    [new XenstoreError('ENOSPC', 'WRITE', '/a'), 6],
    [new NoRoom('no memory'), 6],
    [new TimedOut('60 s'), 7],
    [new BatchFailed([{ domain: 'a', error: new NoSuchDomain('a') }], 2, false), 8],
    [new BatchFailed([{ domain: 'a', error: new NoSuchDomain('a') }], 1, false), 4],
    [new BatchFailed([{ domain: 'a', error: new NoSuchDomain('a') }], 2, true), 130],
    [new Interrupted('by Ctrl-C'), 130],
  ])('%s has the exit code %i', (error, exitCode) => {
    expect(explain(error).exitCode).toBe(exitCode)
  })

  test('is one sentence, and a hint on a line of its own', () => {
    expect(errorText(explain(new XenstoreUnreachable('/run/s', 'ENOENT')))).toBe(
      'xcl: the XenStore daemon does not answer at /run/s (ENOENT)\n  hint: is lixs (or xenstored) running?\n',
    )
    expect(errorText(explain(new TimedOut('too late')))).toBe('xcl: too late\n')
  })
})
