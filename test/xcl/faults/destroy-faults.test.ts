import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { EXIT } from '../../../xcl/output/errors.ts'
import type { SimulatedHost, Traces } from '../../support/a-simulated-host.ts'
import { aQuietHost, SETTLED } from './a-quiet-host.ts'

let host: SimulatedHost
let nothing: Traces
beforeAll(async () => {
  ;({ host, nothing } = await aQuietHost({ hasStoreProxy: true }))
}, 60_000)
afterAll(() => host?.stop())

async function aGuest(): Promise<void> {
  onTestFailed(async () => void (await host.xcl(['destroy', 'demo'])))
  const more = ['vif = [""]', `disk = ["${host.kernel},raw,xvda,r"]`]
  const { code, stdout } = await host.create('demo', more)
  expect(code).toBe(0)
  const { domid } = JSON.parse(stdout)
  await host.news.said(new RegExp(`^ready ${domid} `))
}

/** While such a request of a destroy is on its way to the store. */
async function destroyWhile(op: string, act: () => Promise<unknown>): Promise<void> {
  const request = host.storeProxy.hold(op)
  const destruction = Promise.allSettled([host.xcl(['destroy', 'demo'])])
  await request.came
  await act()
  request.release()
  await destruction
}

describe('a destroy that fails is told, and done by the next one', () => {
  test.each([
    ['domain_pause', 'EINVAL', EXIT.failed, /cannot pause: EINVAL/],
    ['domain_destroy', 'EBUSY', EXIT.failed, /cannot destroy: EBUSY|cannot be destroyed: EBUSY/],
    ['domain_destroy', 'EPERM', EXIT.refused, /EPERM/],
  ] as const)('by Xen: %s %s', async (name, errno, exitCode, says) => {
    await aGuest()
    await host.simulator.fault({ name, errno, times: 1 })
    const { code, stderr } = await host.xcl(['destroy', 'demo'])
    expect(stderr).toMatch(/^xcl: [^\n]+\n( {2}hint: [^\n]+\n)?$/)
    expect(stderr).toMatch(says)
    expect(code).toBe(exitCode)
    expect(await host.xcl(['domid', 'demo'])).toMatchObject({ code: 0 })

    expect(await host.xcl(['destroy', 'demo'])).toMatchObject({ code: 0, stderr: '' })
    await expect.poll(() => host.traces(), SETTLED).toEqual(nothing)
  })

  test.each([
    ['RM', '/local/domain/'],
    ['RM', '/vm/'],
    ['DIRECTORY', '/libxl/'],
  ])('by the store: %s %s', async (op, about) => {
    await aGuest()
    host.storeProxy.refuse(op, about, 'EIO')
    const { code, stderr } = await host.xcl(['destroy', 'demo'])
    expect(stderr).toMatch(new RegExp(`^xcl: XenStore ${op} ${about}[^\n]*EIO[^\n]*\n$`))
    expect(code).toBe(EXIT.failed)

    expect(await host.xcl(['destroy', 'demo'])).toMatchObject({ code: 0, stderr: '' })
    await expect.poll(() => host.traces(), SETTLED).toEqual(nothing)
  })
})

describe('in the middle of a destroy', () => {
  test.each(['RM', 'RELEASE'])('lixs may be killed: %s', async (op) => {
    await aGuest()
    await destroyWhile(op, () => host.killProgram('lixs'))
    await host.startProgram('lixs')
    expect(await host.xcl(['destroy', 'demo'])).toMatchObject({ code: 0, stderr: '' })
    await expect.poll(() => host.traces(), SETTLED).toEqual(nothing)
  }, 30_000)

  test.each(['RM', 'RELEASE'])('xcld may be killed: %s', async (op) => {
    await aGuest()
    await destroyWhile(op, () => host.killProgram('xcld'))
    await host.startProgram('xcld')
    expect(await host.xcl(['destroy', 'demo'])).toMatchObject({ code: 0, stderr: '' })
    await expect.poll(() => host.traces(), SETTLED).toEqual(nothing)
  }, 30_000)

  test('xcld may be killed: before Xen has destroyed the domain', async () => {
    await aGuest()
    await host.simulator.fault({ name: 'domain_destroy', errno: 'SIGKILL', times: 1 })
    await Promise.allSettled([host.xcl(['destroy', 'demo']), host.program('xcld').ended])
    await host.startProgram('xcld')
    expect(await host.xcl(['destroy', 'demo'])).toMatchObject({ code: 0, stderr: '' })
    await expect.poll(() => host.traces(), SETTLED).toEqual(nothing)
  }, 30_000)
})
