import { expect, test } from 'vitest'
import { machineFailure } from '../../native/machine-failure.ts'
import { XenError } from '../../native/xen-error.ts'

const simulator = '/run/x/simulator.sock'

function said(code: string, hypervisor: 'xen' | 'sim') {
  const error = new XenError('open', code, 1, 'the two are of different versions')
  return machineFailure(error, { hypervisor, simulator })
}

test('without Xen the sentence names the machine that anybody has', () => {
  expect(said('ENOENT', 'xen')).toEqual({
    sentence:
      'no Xen on this host (open: ENOENT); there is a simulated machine, too: --hypervisor sim',
    isRefused: false,
  })
})

test.each([
  'ENOENT',
  'ECONNREFUSED',
])('where nobody listens (%s) the sentence names the socket and what makes a machine', (code) => {
  const failure = said(code, 'sim')
  expect(failure?.sentence).toContain(
    `no simulated machine listens at ${simulator} (open: ${code})`,
  )
  expect(failure?.sentence).toContain('`npm start` or xcl-simulator makes one')
  expect(failure?.isRefused).toBe(false)
})

test.each(['xen', 'sim'] as const)('%s: who may not is told so', (hypervisor) => {
  expect(said('EACCES', hypervisor)).toMatchObject({ isRefused: true })
})

test('a machine of another version is told from none', () => {
  expect(said('EPROTO', 'sim')?.sentence).toContain('the two are of different versions')
})

test('what is not about the machine as a whole is left to the caller', () => {
  expect(said('EBUSY', 'xen')).toBeUndefined()
  expect(said('EBUSY', 'sim')).toBeUndefined()
})
