import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { XS_ERROR, XS_GET_PERMS, XS_READ, XS_WATCH_EVENT } from '../../lixs/wire/ops.ts'
import type { Packet } from '../../lixs/wire/packet.ts'
import { aDaemon } from '../support/a-daemon.ts'
import { aFolder } from '../support/a-socket-peer.ts'
import { anAlteringProxy } from './altering-proxy.ts'
import { Contest } from './contest.ts'
import type { DaemonUnderTest } from './daemon.ts'
import { Generator } from './generator.ts'
import { FULL, ORDERLY } from './profile.ts'
import type { Step } from './step.ts'

const SOCKETS = { ...FULL, guests: [], sockets: 2 }
const ORDERLY_SOCKETS = { ...ORDERLY, guests: [], sockets: 2 }
const SOME = new Generator(3, SOCKETS).sequence(400)

/** lixs in this process, which says what `alter` makes of it. */
async function aDaemonThat(
  alter?: (packet: Packet) => readonly Packet[],
): Promise<DaemonUnderTest> {
  const daemon = aDaemon()
  const folder = aFolder()
  const path = join(folder.path, 'socket')
  const proxy = alter && (await anAlteringProxy(path, daemon.socketPath, alter))
  return {
    name: 'lixs',
    socketPath: proxy?.socketPath ?? daemon.socketPath,
    machine: undefined,
    ended: new Promise(() => undefined),
    async stop() {
      await proxy?.close()
      daemon.stop()
      folder.remove()
    },
  }
}

describe('a contest', () => {
  let contest: Contest | undefined

  afterEach(() => contest?.stop())

  function against(alter?: (packet: Packet) => readonly Packet[]): Contest {
    contest = new Contest(
      'lixs',
      () => aDaemonThat(),
      () => aDaemonThat(alter),
    )
    return contest
  }

  /** Plays the sequence and gives the least of it that shows the difference. */
  async function leastOf(alter: (packet: Packet) => readonly Packet[]): Promise<readonly Step[]> {
    const liar = against(alter)
    const differences = await liar.play(SOME)
    expect(differences).not.toEqual([])
    const { steps } = await liar.shrink(SOME, differences)
    return steps
  }

  test('of a daemon with itself finds no difference', async () => {
    const one = against()

    expect(await one.play(SOME)).toEqual([])
    expect(one.tally.replies).toBeGreaterThan(300)
    expect(one.tally.events).toBeGreaterThan(20)
  })

  test('finds the same sequence for the same seed', () => {
    expect(new Generator(3, SOCKETS).sequence(400)).toEqual(SOME)
    expect(new Generator(4, SOCKETS).sequence(400)).not.toEqual(SOME)
  })

  test('finds one wrong permission, and the steps that show it', async () => {
    const steps = await leastOf((packet) =>
      packet.type === XS_GET_PERMS && packet.payload[0] === 0x62
        ? [{ ...packet, payload: Buffer.from('r0\0') }]
        : [packet],
    )

    expect(steps).toContainEqual(expect.objectContaining({ op: 'SET_PERMS' }))
    expect(steps.length).toBeLessThanOrEqual(8)
  })

  test('finds a value that is not the same in the end, though every reply was', async () => {
    const liar = against((packet) =>
      packet.type === XS_READ ? [{ ...packet, payload: Buffer.from('x') }] : [packet],
    )
    const differences = await liar.play([
      { kind: 'open', on: 's1' },
      { kind: 'send', on: 's1', op: 'WRITE', payload: '/a|1' },
    ])

    expect(differences).toMatchObject([{ on: 'the store' }])
  })

  test('finds an event that does not come', async () => {
    let events = 0
    const steps = await leastOf((packet) =>
      packet.type === XS_WATCH_EVENT && ++events % 5 === 0 ? [] : [packet],
    )

    expect(steps).toContainEqual(expect.objectContaining({ op: 'WATCH' }))
  })

  test('finds that lixs tells everything twice', async () => {
    contest = new Contest(
      'lixs',
      () => aDaemonThat((packet) => (packet.type === XS_WATCH_EVENT ? [packet, packet] : [packet])),
      () => aDaemonThat(),
    )

    expect(await contest.play(SOME)).not.toEqual([])
  })

  test('finds an event that comes behind a reply it belongs before', async () => {
    let late: Packet[] = []
    const steps = await leastOf((packet) => {
      if (packet.type === XS_WATCH_EVENT) {
        late.push(packet)
        return []
      }
      const said = [packet, ...late]
      late = []
      return said
    })

    expect(steps).toContainEqual(expect.objectContaining({ op: 'WATCH' }))
  })
})

describe('a contest that allows for what oxenstored does in its own way', () => {
  const ORDERED = new Generator(5, ORDERLY_SOCKETS).sequence(600)
  let contest: Contest | undefined

  afterEach(() => contest?.stop())

  function against(alter?: (packet: Packet) => readonly Packet[]): Contest {
    contest = new Contest(
      'oxenstored',
      () => aDaemonThat(),
      () => aDaemonThat(alter),
    )
    return contest
  }

  test('finds no difference of a daemon to itself, and excuses nothing', async () => {
    const one = against()

    expect(await one.play(ORDERED)).toEqual([])
    expect(one.tally.replies).toBeGreaterThan(400)
    expect(one.tally.events).toBeGreaterThan(20)
    expect(one.tally.shareExcused).toBe(0)
  })

  test('excuses no value that nobody has written', async () => {
    const send = (op: string, payload: string, more = {}): Step =>
      ({ kind: 'send', on: 's1', op, payload, ...more }) as Step
    const steps: readonly Step[] = [
      { kind: 'open', on: 's1' },
      send('TRANSACTION_START', '|', { as: 'T1' }),
      send('WRITE', '/a|1'),
      send('READ', '/a|', { tx: 'T1' }),
      send('TRANSACTION_END', 'T|', { tx: 'T1' }),
    ]
    const alter = (packet: Packet): readonly Packet[] =>
      packet.type === XS_READ ? [{ ...packet, payload: Buffer.from('wrong') }] : [packet]

    contest = new Contest(
      'oxenstored',
      () => aDaemonThat(alter),
      () => aDaemonThat(),
    )
    expect(await contest.play(steps)).not.toEqual([])
  })

  test('finds a wrong value', async () => {
    let reads = 0
    const alter = (packet: Packet): readonly Packet[] =>
      packet.type === XS_READ && ++reads % 10 === 0
        ? [{ ...packet, payload: Buffer.from('other') }]
        : [packet]

    expect(await against(alter).play(ORDERED)).not.toEqual([])
  })

  test('finds one wrong permission', async () => {
    const alter = (packet: Packet): readonly Packet[] =>
      packet.type === XS_GET_PERMS && packet.payload[0] === 0x62
        ? [{ ...packet, payload: Buffer.from('r0\0') }]
        : [packet]

    expect(await against(alter).play(ORDERED)).not.toEqual([])
  })

  test('finds another error', async () => {
    let errors = 0
    const alter = (packet: Packet): readonly Packet[] =>
      packet.type === XS_ERROR && ++errors % 10 === 0
        ? [{ ...packet, payload: Buffer.from('EIO\0') }]
        : [packet]

    expect(await against(alter).play(ORDERED)).not.toEqual([])
  })

  test('finds an event that does not come, and one of another node', async () => {
    for (const path of [undefined, '/wrong']) {
      let events = 0
      const alter = (packet: Packet): readonly Packet[] => {
        if (packet.type !== XS_WATCH_EVENT || ++events % 5 > 0) return [packet]
        return path === undefined ? [] : [{ ...packet, payload: Buffer.from(`${path}\0t\0`) }]
      }

      expect(await against(alter).play(ORDERED)).not.toEqual([])
      await contest?.stop()
    }
  })
})
