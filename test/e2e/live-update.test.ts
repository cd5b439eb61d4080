import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { XenstoreClient } from '../../lixs/client/client.ts'
import { Decoder } from '../../lixs/wire/decoder.ts'
import { encodePacket } from '../../lixs/wire/encoder.ts'
import {
  XS_READ,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_WATCH,
  XS_WATCH_EVENT,
  XS_WRITE,
} from '../../lixs/wire/ops.ts'
import type { Packet } from '../../lixs/wire/packet.ts'
import { startLixs } from '../support/a-program.ts'
import { SimulatedHost } from '../support/a-simulated-host.ts'
import { aFolder } from '../support/a-socket-peer.ts'

const SOON = { timeout: 20_000, interval: 20 }
const GUESTS = 60
const RATE = 20
const BIG = 'v'.repeat(3000)
const UNREAD = 400

let host: SimulatedHost
let store: XenstoreClient
beforeAll(async () => {
  host = await SimulatedHost.start()
  store = await host.store()
}, 60_000)
afterAll(() => host?.stop())

async function create(name: string, more: readonly string[] = []): Promise<number> {
  const { code, stdout, stderr } = await host.create(name, more)
  if (code !== 0) throw new Error(stderr)
  const { domid } = JSON.parse(stdout)
  await host.news.said(new RegExp(`^ready ${domid} `))
  return domid
}

/** The next program serves: as often as it said so, and once more. */
async function update(...words: readonly string[]): Promise<string> {
  return await store.control('live-update', '-s', ...words)
}

/** A socket whose bytes the test sends and reads itself. */
class RawClient {
  readonly heard: Packet[] = []
  readonly #socket: Socket
  readonly #decoder = new Decoder()

  static async connect(): Promise<RawClient> {
    const socket = createConnection(host.path('store.sock'))
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  constructor(socket: Socket) {
    this.#socket = socket.pause()
    socket.on('data', (bytes) => this.heard.push(...this.#decoder.push(new Uint8Array(bytes))))
  }

  send(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.#socket.write(bytes, () => resolve()))
  }

  ask(type: number, text: string, reqId = 1, txId = 0): Promise<void> {
    return this.send(encodePacket(type, reqId, txId, Buffer.from(text.replaceAll('|', '\0'))))
  }

  read(): void {
    this.#socket.resume()
  }

  texts(type: number): string[] {
    return this.heard
      .filter((packet) => packet.type === type)
      .map(({ payload }) => Buffer.from(payload).toString('latin1').replaceAll('\0', '|'))
  }

  end(): void {
    this.#socket.destroy()
  }
}

test('a live update among working guests loses nothing and doubles nothing', async () => {
  const names = Array.from({ length: GUESTS }, (_, i) => `worker${i}`)
  await Promise.all(names.map((name) => create(name)))
  const devices = await create('devices', ['vif = [""]', `disk = ["${host.kernel},raw,xvda,r"]`])
  await host.news.said(new RegExp(`^connected ${devices} vif 0 \\d+$`))
  await store.write('/big', BIG)

  const watcher = await RawClient.connect()
  watcher.read()
  await watcher.ask(XS_WATCH, '/watched|token|')
  await expect.poll(() => watcher.heard.length, SOON).toBe(2)
  const halfway = await RawClient.connect()
  const request = encodePacket(XS_WRITE, 7, 0, Buffer.from('/watched\0whole'))
  await halfway.send(request.subarray(0, 21))
  const lazy = await RawClient.connect()
  for (let i = 0; i < UNREAD; i++) await lazy.ask(XS_READ, '/big|', i)
  await host.simulator.work(RATE)
  await expect.poll(async () => (await host.simulator.stats()).lines, SOON).toBeGreaterThan(GUESTS)

  const before = await host.simulator.stats()
  expect(await update()).toBe('OK')
  expect(existsSync(host.path('state_dump'))).toBe(false)

  // What was halfway in arrives, and whoever watches hears of it, once.
  await halfway.send(request.subarray(21))
  halfway.read()
  await expect.poll(() => halfway.texts(XS_WRITE), SOON).toEqual(['OK|'])
  await expect
    .poll(() => watcher.texts(XS_WATCH_EVENT), SOON)
    .toEqual(['/watched|token|', '/watched|token|'])
  // What was halfway out goes on where it stopped.
  lazy.read()
  await expect.poll(() => lazy.heard.length, SOON).toBe(UNREAD)
  expect(lazy.heard.map(({ reqId }) => reqId)).toEqual(Array.from({ length: UNREAD }, (_, i) => i))
  expect(lazy.texts(XS_READ).every((value) => value === BIG)).toBe(true)

  await expect
    .poll(async () => (await host.simulator.stats()).replies, SOON)
    .toBeGreaterThan((before.replies ?? 0) + 2 * GUESTS)
  await host.simulator.stopWork()
  await expect.poll(async () => (await host.simulator.stats()).inFlight, SOON).toBe(0)
  const { lost, broken, abandoned, pagesHeld, portsHeld } = before
  expect(await host.simulator.stats()).toMatchObject({
    ...{ lost, broken, abandoned, pagesHeld, portsHeld },
    ...{ vifConnected: 1, vbdConnected: 1 },
  })
  for (const client of [watcher, halfway, lazy]) client.end()
}, 120_000)

test('guests come and go behind a live update, and consoles follow', async () => {
  const domid = await create('newcomer')
  expect(await store.read(`/local/domain/${domid}/name`)).toBe('newcomer')
  await expect.poll(() => existsSync(join(host.logDir, 'guest-newcomer.log')), SOON).toBe(true)
  expect(await host.xcl(['destroy', 'worker0'])).toMatchObject({ code: 0 })
  expect(await update()).toBe('OK')
  expect(await host.xcl(['destroy', 'newcomer'])).toMatchObject({ code: 0 })
  expect(await store.read(`/local/domain/${domid}/name`)).toBeUndefined()
}, 60_000)

test('a domain that dies while nobody serves is found dead afterwards', async () => {
  const heard = await RawClient.connect()
  heard.read()
  await heard.ask(XS_WATCH, '@releaseDomain|dead|')
  await expect.poll(() => heard.heard.length, SOON).toBe(2)
  const updated = update()
  const [domid] = await host.simulator.die({ count: 1, seed: 4, how: 'crash' })
  expect(await updated).toBe('OK')
  await expect.poll(() => heard.texts(XS_WATCH_EVENT).length, SOON).toBeGreaterThanOrEqual(2)
  expect(domid).toBeGreaterThan(0)
  heard.end()
}, 60_000)

test('it waits for transactions that are open, and new ones wait for it', async () => {
  const first = await RawClient.connect()
  const second = await RawClient.connect()
  first.read()
  second.read()
  await first.ask(XS_TRANSACTION_START, '|')
  await expect.poll(() => first.texts(XS_TRANSACTION_START), SOON).toEqual(['1|'])
  const updated = update()
  const other = await host.store()
  // Served in turn: when this is answered, the update is pending.
  await expect
    .poll(async () => {
      const text = await other.control('live-update', '-f', '/bin/true')
      return text
    }, SOON)
    .toBe('a live update is pending already')
  await second.ask(XS_TRANSACTION_START, '|', 21)
  await second.ask(XS_WRITE, '/behind|x', 22)
  await first.ask(XS_WRITE, '/first|1', 2, 1)
  await expect.poll(() => first.texts(XS_WRITE), SOON).toEqual(['OK|'])
  expect(second.heard).toEqual([])
  await first.ask(XS_TRANSACTION_END, 'T|', 3, 1)
  expect(await updated).toBe('OK')
  await expect.poll(() => second.heard.map(({ reqId }) => reqId), SOON).toEqual([21, 22])
  expect(first.texts(XS_TRANSACTION_END)).toEqual(['OK|'])
  expect(await store.read('/first')).toBe('1')
  await second.ask(XS_TRANSACTION_END, 'T|', 23, 1)
  await expect.poll(() => second.texts(XS_TRANSACTION_END), SOON).toEqual(['OK|'])
  for (const client of [first, second]) client.end()
}, 60_000)

test('a program that cannot be started changes nothing', async () => {
  const file = host.path('kernel')
  expect(await store.control('live-update', '-f', file)).toBe(`${file} is not executable`)
  expect(await store.control('live-update', '-a')).toBe('no live update has begun')
  const notOne = host.path('not-a-program')
  writeFileSync(notOne, '\u0000nothing that a machine runs')
  chmodSync(notOne, 0o755)
  expect(await store.control('live-update', '-f', notOne)).toBe('OK')
  expect(await update()).toBe(`cannot become ${notOne}: ENOEXEC`)
  expect(existsSync(host.path('state_dump'))).toBe(false)
  expect(statSync(host.path('store.sock')).mode & 0o777).toBe(0o600)
  const domid = await create('afterwards')
  await host.simulator.command(`destroy ${domid}`).catch(() => undefined)
  expect(await host.xcl(['destroy', 'afterwards'])).toMatchObject({ code: 0 })
}, 60_000)

test('the pid file stays locked by the same process', async () => {
  const folder = aFolder()
  const pidFile = join(folder.path, 'lixs.pid')
  const args = ['--no-fork', '--hypervisor', 'none', '--pid-file', pidFile]
  const start = (name: string) => startLixs([...args, '--socket-path', join(folder.path, name)])
  const daemon = start('socket')
  onTestFinished(async () => {
    daemon.child.kill('SIGKILL')
    await daemon.ended
    folder.remove()
  })
  await daemon.said(/"msg":"serving"/)
  const client = await XenstoreClient.connect(join(folder.path, 'socket'))
  for (let i = 0; i < 2; i++) {
    expect(await client.control('live-update', '-s')).toBe('OK')
    expect(readFileSync(pidFile, 'latin1')).toBe(`${daemon.child.pid}\n`)
    expect(await start('other').ended).toEqual({
      code: 0,
      signal: null,
      stdout: '',
      stderr: expect.stringContaining(`already running (pid ${daemon.child.pid};`),
    })
  }
  client.close()
}, 60_000)

test('a damaged state ends the next program with one sentence', async () => {
  const folder = aFolder()
  onTestFinished(() => folder.remove())
  writeFileSync(join(folder.path, 'state_dump'), 'xenstore')
  const socketPath = join(folder.path, 'socket')
  const { code, stderr } = await startLixs([
    '--no-fork',
    '--hypervisor',
    'none',
    '--socket-path',
    socketPath,
    '-U',
  ]).ended
  expect(code).toBe(1)
  expect(stderr).toContain('lixs: the saved state has no header of its kind\n')
  expect(existsSync(socketPath)).toBe(false)
})
