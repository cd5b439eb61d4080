import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SimulatedHost } from '../support/a-simulated-host.ts'

const SOON = { timeout: 15_000, interval: 20 }

let host: SimulatedHost
let good: number
beforeAll(async () => {
  host = await SimulatedHost.start()
  good = await create('good')
  await host.news.said(new RegExp(`^ready ${good} `))
}, 60_000)
afterAll(() => host?.stop())

async function create(name: string, more: readonly string[] = []): Promise<number> {
  const { code, stdout, stderr } = await host.create(name, more)
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(stdout).domid
}

function consoleLog(name: string): string {
  return readFileSync(host.path('logs', `guest-${name}.log`), 'latin1')
}

/** A guest that was there before is served, and one can be made and ended. */
async function othersAreServed(value: string): Promise<void> {
  const store = await host.store()
  await store.write(`/local/domain/${good}/data/poke`, value)
  await expect.poll(() => store.read(`/local/domain/${good}/data/poke-echo`), SOON).toBe(value)
  store.close()
  const domid = await create(`beside-${value}`)
  await host.news.said(new RegExp(`^ready ${domid} `))
  expect(await host.xcl(['destroy', `beside-${value}`])).toMatchObject({ code: 0, stderr: '' })
}

test.each([
  'flood-store',
  'flood-console',
  'no-drain',
  'bad-index',
  'bad-console-index',
  'oversized',
  'garbage',
  'split',
  'watch-hoard',
  'transaction-hoard',
  'path-bomb',
])('a guest with the script %s is alone with it, and goes like any other', async (script) => {
  const domid = await create(script, [`cmdline = "script=${script} nonce=of-${script}"`])
  expect(await host.news.said(new RegExp(`^ready ${domid} `))).toContain(`${script} of-${script}`)
  await expect
    .poll(() => consoleLog(script), SOON)
    .toContain(`READY pvh domid=${domid} name=${script} nonce=of-${script} write=OK\r\n`)
  await othersAreServed(script)
  expect(await host.xcl(['destroy', script])).toMatchObject({ code: 0, stderr: '' })
  await host.news.said(new RegExp(`^gone ${domid} `))
  expect(await host.simulator.stats()).toMatchObject({ ready: 1, lost: 0, broken: 0 })
})

test.each([
  ['watch-hoard', /^watches 12\d (E2BIG|ENOSPC)\r$/m],
  ['transaction-hoard', /^transactions 10 ENOSPC\r$/m],
  ['path-bomb', /^nodes 9\d\d ENOSPC\r$/m],
])('%s ends at a quota, and the guest goes on', async (script, end) => {
  const name = `${script}-2`
  const domid = await create(name, [`cmdline = "script=${script}"`])
  await expect.poll(() => consoleLog(name), SOON).toMatch(end)
  const store = await host.store()
  await store.write(`/local/domain/${domid}/control/shutdown`, 'poweroff')
  store.close()
  await host.news.said(new RegExp(`^shutdown ${domid} poweroff `))
  await host.news.said(new RegExp(`^gone ${domid} `))
})

test('a guest may be silent, or die before it says a word', async () => {
  const silent = await create('silent', ['cmdline = "script=silent"'])
  const dead = await create('dead', ['cmdline = "script=dies-at-boot"'])
  await host.news.said(new RegExp(`^shutdown ${dead} crash `))
  await host.news.said(new RegExp(`^gone ${dead} `))
  expect((await host.xcl(['domid', 'silent'])).stdout).toBe(`${silent}\n`)
  await host.xcl(['destroy', 'silent'])
  await host.news.said(new RegExp(`^gone ${silent} `))
})

test.each([
  'boot',
  'read',
  'watch',
  'write',
  'vif',
  'vbd',
  'print',
])('a guest that dies at the step %s is taken away with its devices', async (step) => {
  await host.simulator.fault({ name: `guest_dies_${step}`, errno: 'EIO' })
  const devices = ['vif = [""]', `disk = ["${host.kernel},raw,xvda,r"]`]
  const domid = await create(`dies-${step}`, devices)
  await host.news.said(new RegExp(`^shutdown ${domid} crash `))
  await host.news.said(new RegExp(`^gone ${domid} `))
  const store = await host.store()
  const backends = (kind: string) => store.directory(`/local/domain/0/backend/${kind}`)
  await expect.poll(() => backends('vif'), SOON).not.toContain(String(domid))
  await expect.poll(() => backends('vbd'), SOON).not.toContain(String(domid))
  store.close()
  expect(await host.simulator.stats()).toMatchObject({ vifConnected: 0, vbdConnected: 0 })
  await host.simulator.clearFaults()
})
