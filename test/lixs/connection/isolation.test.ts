import { afterEach, beforeEach, expect, test } from 'vitest'
import { encodePacket } from '../../../lixs/wire/encoder.ts'
import { XS_MKDIR, XS_READ, XS_RM, XS_WATCH, XS_WRITE } from '../../../lixs/wire/ops.ts'
import {
  CONNECTION_DOMID,
  CONNECTION_KIND,
  CONNECTION_WORDS,
  type RingSet,
} from '../../../native/ring-set.ts'
import { SocketPeer } from '../../native/socket-peer.ts'
import { aDaemon, type RingGuest, type RunningDaemon, turn } from '../../support/a-daemon.ts'
import { Chance, Flooder, Observer, Victim } from './isolation.ts'

const RING = 2
const VICTIM = 1
/** Requests of the victim that are counted. */
const REQUESTS = 300
const SEEDS = [1, 2, 3]

let daemon: RunningDaemon
let observer: Observer
const peers: SocketPeer[] = []

beforeEach(() => {
  daemon = aDaemon()
})

afterEach(() => {
  for (const peer of peers.splice(0)) peer.close()
  daemon.stop()
})

const packet = (type: number, text: string) =>
  encodePacket(type, 1, 0, Buffer.from(text.replaceAll('|', '\0')))
const home = (domid: number) => `/local/domain/${domid}`

/** A guest that is introduced and has a home of its own. */
async function guest(domid: number): Promise<RingGuest> {
  const tool = await daemon.connect()
  const ring = daemon.guest(domid)
  await tool.write(`${home(domid)}/data`, 'x')
  await tool.setPerms(home(domid), [`n${domid}`])
  await tool.setPerms(`${home(domid)}/data`, [`n${domid}`])
  await tool.introduce(domid, 0, ring.end.port)
  return ring
}

function connectionOf({ connections }: RingSet, domid: number): number {
  for (let id = 1; (id + 1) * CONNECTION_WORDS <= connections.length; id++) {
    const at = id * CONNECTION_WORDS
    if (connections[at + CONNECTION_KIND] !== RING) continue
    if (connections[at + CONNECTION_DOMID] === domid) return id
  }
  throw new Error(`domain ${domid} has no connection`)
}

/** Guests, each with a ring full of the request that `requestOf` gives. */
async function flood(domids: readonly number[], requestOf: (domid: number) => Uint8Array) {
  for (const domid of domids) {
    const request = requestOf(domid)
    observer.actors.push(new Flooder(await guest(domid), () => request))
  }
}

/** A socket that pipelines more than the daemon takes at once, again and again. */
async function floodSocket(request: Uint8Array, depth: number): Promise<void> {
  const peer = await SocketPeer.connect(daemon.socketPath)
  peers.push(peer)
  const burst = Buffer.concat(Array.from({ length: depth }, () => request))
  let answered = 0
  const send = () => {
    if (peer.isClosed) return
    if (peer.received.length >= answered) {
      answered = peer.received.length + depth
      peer.send(burst)
    }
    setImmediate(send)
  }
  send()
}

async function victim(pause: () => number): Promise<Victim> {
  const ring = await guest(VICTIM)
  const request = packet(XS_READ, `${home(VICTIM)}/data|`)
  return new Victim(observer, ring, connectionOf(daemon.rings, VICTIM), request, pause)
}

/** Lets everybody loose until the victim has had its replies. @returns the most that it saw */
async function count(waiting: Victim): Promise<number> {
  observer.actors.push(waiting)
  observer.served.clear()
  observer.isOn = true
  observer.moment()
  while (waiting.most.length < REQUESTS) {
    await turn()
    observer.moment()
  }
  observer.isOn = false
  return Math.max(...waiting.most)
}

test.for(
  SEEDS,
)('of each other connection one request at most is served while a request waits (seed %i)', async (seed) => {
  const chance = new Chance(seed)
  observer = new Observer(daemon)
  await flood([2, 3, 4, 5], (domid) => packet(XS_READ, `${home(domid)}/data|`))
  await flood([6, 7], (domid) => packet(XS_WRITE, `${home(domid)}/data|${'v'.repeat(200)}`))
  await floodSocket(packet(XS_READ, '/tool|'), 100)
  await floodSocket(packet(XS_MKDIR, '/tool/a|'), 3)
  const waiting = await victim(() => chance.below(40))
  expect(await count(waiting)).toBe(1)
})

test('one request of a lone connection at most is served while a request waits', async () => {
  const chance = new Chance(4)
  observer = new Observer(daemon)
  await flood([2], (domid) => packet(XS_READ, `${home(domid)}/data|`))
  const waiting = await victim(() => chance.below(100))
  expect(await count(waiting)).toBe(1)
})

test('so it is when replies and events do not fit into the output buffer', async () => {
  const chance = new Chance(5)
  observer = new Observer(daemon)
  const watcher = await SocketPeer.connect(daemon.socketPath)
  peers.push(watcher)
  for (let i = 0; i < 80; i++) {
    watcher.send(packet(XS_WATCH, `${home(2)}/data|${i}${'t'.repeat(2000)}|`))
  }
  await flood([2, 3, 4], (domid) => packet(XS_WRITE, `${home(domid)}/data|${'v'.repeat(100)}`))
  await floodSocket(packet(XS_READ, `${home(3)}/data|`), 40)
  const waiting = await victim(() => chance.below(10))
  expect(await count(waiting)).toBe(1)
})

test('so it is while others make and remove big trees', async () => {
  const chance = new Chance(6)
  observer = new Observer(daemon)
  const tool = await daemon.connect()
  for (let i = 0; i < 500; i++) void tool.mkdir(`/tool/tree/${i % 10}/${i}`)
  await tool.mkdir('/tool/tree')
  await floodSocket(
    Buffer.concat([
      ...Array.from({ length: 20 }, (_, i) => packet(XS_MKDIR, `/tool/other/${i}/a/b/c/d|`)),
      packet(XS_RM, '/tool/other|'),
      packet(XS_RM, '/tool/tree|'),
    ]),
    5,
  )
  await flood([2], (domid) => packet(XS_READ, `${home(domid)}/data|`))
  const waiting = await victim(() => chance.below(20))
  expect(await count(waiting)).toBe(1)
})

test('one flooder leaves a victim that has one request under way half of all replies', async () => {
  observer = new Observer(daemon)
  await flood([2], (domid) => packet(XS_READ, `${home(domid)}/data|`))
  const waiting = await victim(() => 0)
  expect(await count(waiting)).toBe(1)
  const replies = observer.servedOf(connectionOf(daemon.rings, VICTIM))
  const flooded = observer.servedOf(connectionOf(daemon.rings, 2))
  expect(replies / (replies + flooded)).toBeGreaterThanOrEqual(0.45)
})
