import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openHypervisor } from '../../native/open-hypervisor.ts'
import { SimulatedHost } from '../support/a-simulated-host.ts'

const SOON = { timeout: 15_000, interval: 20 }
const DEVICES = 3
const WORKERS = 20
const RATE = 50

let host: SimulatedHost
beforeAll(async () => {
  host = await SimulatedHost.start()
}, 60_000)
afterAll(() => host?.stop())

async function create(name: string, more: readonly string[] = []): Promise<number> {
  const { code, stdout, stderr } = await host.create(name, more)
  if (code !== 0) throw new Error(stderr)
  const { domid } = JSON.parse(stdout)
  await host.news.said(new RegExp(`^ready ${domid} `))
  return domid
}

function consoleLog(name: string): string {
  return readFileSync(host.path('logs', `guest-${name}.log`), 'latin1')
}

test('front ends and back ends connect, and dom0 gives back what they had', async () => {
  const before = await host.simulator.stats()
  const vifs = Array.from({ length: DEVICES }, () => '""').join(', ')
  const disks = ['xvda', 'xvdb'].map((vdev) => `"${host.kernel},raw,${vdev},r"`).join(', ')
  const domid = await create('devices', [`vif = [${vifs}]`, `disk = [${disks}]`])
  for (let i = 0; i < DEVICES; i++) {
    await host.news.said(new RegExp(`^connected ${domid} vif ${i} \\d+$`))
  }
  expect(await host.simulator.stats()).toMatchObject({ vifConnected: DEVICES, vbdConnected: 2 })

  const store = await host.store()
  const backend = `/local/domain/0/backend/vbd/${domid}/51712`
  const frontend = `/local/domain/${domid}/device/vbd/51712`
  expect(await store.read(`${backend}/state`)).toBe('4')
  expect(await store.read(`${frontend}/state`)).toBe('4')
  expect(await store.read(`${backend}/sector-size`)).toBe('512')

  // As `xl block-detach` asks for it: dom0's kernel does nothing until the guest has closed its end.
  await store.write(`${backend}/online`, '0')
  await store.write(`${backend}/state`, '5')
  await expect.poll(() => store.read(`${frontend}/state`), SOON).toBe('6')
  await expect.poll(() => store.read(`${backend}/state`), SOON).toBe('6')
  expect(await host.simulator.stats()).toMatchObject({ vbdConnected: 1 })
  store.close()

  await host.xcl(['destroy', 'devices'])
  await host.news.said(new RegExp(`^gone ${domid} `))
  const { pagesHeld, portsHeld, pages, lost } = before
  expect(await host.simulator.stats()).toMatchObject({ pagesHeld, portsHeld, pages, lost })
})

test('a bridge that is not there takes no port; one that is added does', async () => {
  const vif = ['vif = ["bridge=second"]']
  expect(await host.create('bridged', vif)).toMatchObject({ code: 3 })
  await host.simulator.command('bridge add second')
  await expect(host.simulator.command('bridge add second')).rejects.toThrow('there is a bridge')
  const domid = await create('bridged', vif)
  const machine = openHypervisor('sim', { simulator: host.simulator.socketPath, onGone() {} })
  for (const bridge of ['second', 'xenbr0']) {
    expect(() => machine.devices.joinBridge(`vif${domid}.0`, bridge)).toThrow(
      `cannot make vif${domid}.0 a port of ${bridge}: EBUSY`,
    )
  }
  machine.close()
  await host.xcl(['destroy', 'bridged'])
})

test('working guests write and print as often as they are asked to, and lose nothing', async () => {
  const names = Array.from({ length: WORKERS }, (_, i) => `worker${i}`)
  const domids = await Promise.all(names.map((name) => create(name)))
  const before = await host.simulator.stats()
  await host.simulator.work(RATE)
  await expect
    .poll(() => host.simulator.stats().then((now) => now.lines ?? 0), SOON)
    .toBeGreaterThan((before.lines ?? 0) + WORKERS * RATE)
  await host.simulator.stopWork()
  await expect.poll(() => host.simulator.stats(), SOON).toMatchObject({ inFlight: 0 })
  const { lines, requests, replies, abandoned, lost } = await host.simulator.stats()
  expect({ lost, unanswered: (requests ?? 0) - (replies ?? 0) - (abandoned ?? 0) }).toEqual({
    lost: 0,
    unanswered: 0,
  })

  const store = await host.store()
  let sum = 0
  for (const [i, name] of names.entries()) {
    const count = Number(await store.read(`/local/domain/${domids[i]}/data/work`))
    expect(count).toBeGreaterThan(0)
    await expect.poll(() => consoleLog(name), SOON).toMatch(new RegExp(`\nwork ${count}\r\n$`))
    const printed = consoleLog(name).match(/^work \d+\r$/gm)
    expect(printed).toEqual(Array.from({ length: count }, (_, k) => `work ${k + 1}\r`))
    sum += count
  }
  store.close()
  expect(sum).toBe((lines ?? 0) - (before.lines ?? 0))
  await Promise.all(names.map((name) => host.xcl(['destroy', name])))
})

test('what a command of the guests cannot mean is an error', async () => {
  await expect(host.simulator.command('work')).rejects.toThrow('say `work rate=R`')
  await expect(host.simulator.command('work rate=many')).rejects.toThrow('say `work rate=R`')
  await expect(host.simulator.command('guest 4711')).rejects.toThrow('there is no guest 4711')
  await expect(host.simulator.command('bridge remove xenbr0')).rejects.toThrow('say `bridge add')
})

test('a back end that cannot have what it needs gives its device up', async () => {
  const devices = ['vif = [""]', `disk = ["${host.kernel},raw,xvda,r"]`]
  for (const name of ['gnttab_map_grant_ref', 'evtchn_bind_interdomain']) {
    const store = await host.store()
    const { stdout } = await host.create('lame', devices, { argv: ['--paused'] })
    const { domid } = JSON.parse(stdout)
    await host.simulator.fault({ name, errno: 'ENOMEM', domid, times: 0 })
    await host.xcl(['unpause', 'lame'])
    await host.news.said(new RegExp(`^ready ${domid} lame `))
    for (const [kind, index] of Object.entries({ vif: 0, vbd: 51712 })) {
      const error = `/local/domain/0/error/backend/${kind}/${domid}/${index}/error`
      expect(await store.read(error)).toBe(`12 ${name}`)
    }
    await host.simulator.clearFaults()
    expect(await host.xcl(['destroy', 'lame'])).toMatchObject({ code: 0, stderr: '' })
    await host.news.said(new RegExp(`^gone ${domid} `))
    store.close()
  }
  const left = { domains: 1, pages: 1, vifConnected: 0, vbdConnected: 0, lost: 0, broken: 0 }
  expect(await host.simulator.stats()).toMatchObject(left)
})

test("dom0's kernel begins anew with another store", async () => {
  const old = await create('old', ['vif = [""]'])
  for (const name of ['xcld', 'consoled', 'lixs'] as const) await host.killProgram(name)
  for (const name of ['lixs', 'consoled', 'xcld'] as const) await host.startProgram(name)
  const domid = await create('anew', ['vif = [""]', `disk = ["${host.kernel},raw,xvda,r"]`])
  await host.news.said(new RegExp(`^connected ${domid} vbd 51712 `))
  expect(await host.simulator.stats()).toMatchObject({ vbdConnected: 1, lost: 0, broken: 0 })
  // Nobody has its rings mapped any more.
  expect(await host.xcl(['destroy', String(old)])).toMatchObject({ code: 0 })
  await host.news.said(new RegExp(`^gone ${old} `))
})
