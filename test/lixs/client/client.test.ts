import type { Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { XenstoreClient } from '../../../lixs/client/client.ts'
import {
  XenstoreConnectionLost,
  XenstoreError,
  XenstoreUnreachable,
} from '../../../lixs/client/errors.ts'
import { storeSocketPath } from '../../../lixs/client/socket-path.ts'
import type { StoreRequests } from '../../../lixs/client/store-requests.ts'
import { encodePacket } from '../../../lixs/wire/encoder.ts'
import { opName, XS_ERROR, XS_WATCH_EVENT } from '../../../lixs/wire/ops.ts'
import type { Packet } from '../../../lixs/wire/packet.ts'
import { aSocketPeer, type SocketPeer } from '../../support/a-socket-peer.ts'

const peers: SocketPeer[] = []
const clients: XenstoreClient[] = []

afterEach(() => {
  for (const client of clients.splice(0)) client.close()
  for (const peer of peers.splice(0)) peer.close()
})

/** A client whose daemon answers as told: a text for success, an errno behind `!` for failure. */
async function connected(
  answer: (op: string, payload: string, request: Packet) => string | undefined,
): Promise<{ client: XenstoreClient; peer: SocketPeer; ops: () => string[][] }> {
  const peer = await aSocketPeer((request, socket) => {
    const payload = Buffer.from(request.payload).toString('latin1').replaceAll('\0', '|')
    const text = answer(opName(request.type), payload, request)
    if (text !== undefined) reply(socket, request, text)
  })
  peers.push(peer)
  const client = await XenstoreClient.connect(peer.socketPath)
  clients.push(client)
  return {
    client,
    peer,
    ops: () => peer.reads.map((packets) => packets.map(({ type }) => opName(type))),
  }
}

function reply(socket: Socket, { type, reqId, txId }: Packet, text: string): void {
  const isError = text.startsWith('!')
  const payload = Buffer.from((isError ? `${text.slice(1)}|` : text).replaceAll('|', '\0'))
  socket.write(encodePacket(isError ? XS_ERROR : type, reqId, txId, payload))
}

describe('requests', () => {
  test('calls made together leave in one write and are answered in order', async () => {
    const { client, ops } = await connected((_, payload) => `value of ${payload.slice(0, -1)}`)
    const values = await Promise.all([client.read('/a'), client.read('/b'), client.read('/c')])
    expect(values).toEqual(['value of /a', 'value of /b', 'value of /c'])
    expect(ops()).toEqual([['READ', 'READ', 'READ']])
  })

  test('a missing node reads as undefined, any other refusal is an error with its reason', async () => {
    const { client } = await connected((_, path) => (path === '/a|' ? '!ENOENT' : '!EACCES'))
    expect(await client.read('/a')).toBeUndefined()
    expect(await client.directory('/a')).toBeUndefined()
    const refusal = await client.read('/b').catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(XenstoreError)
    expect(refusal).toMatchObject({ errno: 'EACCES', op: 'READ', path: '/b' })
  })

  test('a request that is too long is refused here, and the connection goes on', async () => {
    const { client } = await connected(() => 'OK|')
    const refusal = await client.write('/a', 'x'.repeat(4096)).catch((error: unknown) => error)
    expect(refusal).toMatchObject({ errno: 'E2BIG', op: 'WRITE' })
    await client.write('/a', 'x')
  })

  test('an answer that is no answer to the request ends the connection', async () => {
    const { client, peer } = await connected(() => undefined)
    const read = client.read('/a').catch((error: unknown) => error)
    const socket = await peer.connection
    socket.write(encodePacket(11, 0, 0, Buffer.from('OK\0')))
    expect(await read).toBeInstanceOf(XenstoreConnectionLost)
    expect(await client.closed).toBeInstanceOf(XenstoreConnectionLost)
  })

  test('what is on its way when the daemon goes fails, and so does what comes after', async () => {
    const { client, peer } = await connected(() => undefined)
    const read = client.read('/a').catch((error: unknown) => error)
    const socket = await peer.connection
    socket.destroy()
    expect(await read).toBeInstanceOf(XenstoreConnectionLost)
    await expect(client.read('/a')).rejects.toBeInstanceOf(XenstoreConnectionLost)
  })

  test('without a daemon the message says so', async () => {
    const refused = XenstoreClient.connect('/nowhere/socket')
    await expect(refused).rejects.toBeInstanceOf(XenstoreUnreachable)
    await expect(refused).rejects.toThrow(/does not answer at \/nowhere\/socket \(ENOENT\)/)
  })
})

describe('directory', () => {
  test('a list too long for one message is read in parts, anew when it changed meanwhile', async () => {
    const parts = ['7|aa|bb|', '8|cc||', '8|aa|bb|', '8|cc||']
    const offsets: string[] = []
    const { client } = await connected((op, payload) => {
      if (op === 'DIRECTORY') return '!E2BIG'
      offsets.push(payload)
      return parts.shift()
    })
    expect(await client.directory('/a')).toEqual(['aa', 'bb', 'cc'])
    expect(offsets).toEqual(['/a|0|', '/a|6|', '/a|0|', '/a|6|'])
  })
})

describe('transaction', () => {
  test('that awaits nothing costs three rounds', async () => {
    const { client, ops } = await connected((op) => (op === 'TRANSACTION_START' ? '5|' : 'OK|'))
    await client.transaction((tx) => {
      tx.mkdir('/a')
      tx.setPerms('/a', ['n0', 'r5'])
      tx.write('/a/b', 'x')
    })
    expect(ops()).toEqual([
      ['TRANSACTION_START'],
      ['MKDIR', 'SET_PERMS', 'WRITE'],
      ['TRANSACTION_END'],
    ])
  })

  test('is tried again when others were in the way', async () => {
    let ends = 0
    const { client, ops } = await connected((op) => {
      if (op === 'TRANSACTION_START') return '5|'
      if (op !== 'TRANSACTION_END') return 'OK|'
      ends++
      return ends < 3 ? '!EAGAIN' : 'OK|'
    })
    let builds = 0
    await client.transaction((tx) => {
      builds++
      tx.mkdir('/a')
    })
    expect(builds).toBe(3)
    expect(
      ops()
        .flat()
        .filter((op) => op === 'TRANSACTION_END'),
    ).toHaveLength(3)
  })

  test.each([
    ['unseen', (tx: StoreRequests) => void tx.mkdir('//')],
    [
      'answered before `build` ends',
      async (tx: StoreRequests) => {
        tx.mkdir('//')
        await tx.read('/a')
      },
    ],
    ['caught by `build`', (tx: StoreRequests) => tx.mkdir('//').catch(() => undefined)],
  ])('a refused request ends the whole without effect: %s', async (_, build) => {
    const ends: string[] = []
    const { client } = await connected((op, payload) => {
      if (op === 'TRANSACTION_START') return '5|'
      if (op === 'TRANSACTION_END') ends.push(payload)
      return op === 'MKDIR' ? '!EINVAL' : 'OK|'
    })
    const building = client.transaction((tx) => {
      tx.write('/a', 'x')
      return build(tx)
    })
    await expect(building).rejects.toMatchObject({ errno: 'EINVAL', op: 'MKDIR', path: '//' })
    expect(ends).toEqual(['F|'])
  })

  test('a missing node that is read is no refusal', async () => {
    const { client } = await connected((op) => {
      if (op === 'TRANSACTION_START') return '5|'
      return op === 'READ' ? '!ENOENT' : 'OK|'
    })
    expect(await client.transaction((tx) => tx.read('/a'))).toBeUndefined()
  })

  test('that throws is ended without effect', async () => {
    const asked: string[] = []
    const { client } = await connected((op, payload, { txId }) => {
      asked.push(`${op} ${payload} ${txId}`)
      return op === 'TRANSACTION_START' ? '5|' : 'OK|'
    })
    const building = client.transaction(async (tx) => {
      await tx.read('/a')
      throw new Error('thought better of it')
    })
    await expect(building).rejects.toThrow('thought better of it')
    expect(asked).toEqual(['TRANSACTION_START | 0', 'READ /a| 5', 'TRANSACTION_END F| 5'])
  })
})

describe('a pipelined transaction', () => {
  test('costs two rounds, whatever is written', async () => {
    const sent: string[] = []
    const { client, ops } = await connected((op, payload, { txId }) => {
      sent.push(`${op} ${payload} ${txId}`)
      return op === 'TRANSACTION_START' ? '5|' : 'OK|'
    })
    const before = client.read('/before')
    await client.pipelinedTransaction((tx) => {
      tx.rm('/a')
      tx.mkdir('/a')
      tx.setPerms('/a', ['n0', 'r5'])
      tx.write('/a/b', 'größer')
      tx.write('/a/c', Buffer.from([1, 0, 2]))
      tx.write('/a/long', 'x'.repeat(4000))
    })
    await before
    expect(ops()[0]).toEqual(['READ', 'TRANSACTION_START'])
    expect(ops().slice(1).flat()).toEqual([
      'RM',
      'MKDIR',
      'SET_PERMS',
      'WRITE',
      'WRITE',
      'WRITE',
      'TRANSACTION_END',
    ])
    expect(sent.slice(2)).toEqual([
      'RM /a| 5',
      'MKDIR /a| 5',
      'SET_PERMS /a|n0|r5| 5',
      `WRITE /a/b|${Buffer.from('größer').toString('latin1')} 5`,
      'WRITE /a/c|\u0001|\u0002 5',
      `WRITE /a/long|${'x'.repeat(4000)} 5`,
      'TRANSACTION_END T| 5',
    ])
    expect(await client.read('/after')).toBe('OK\0')
  })

  test('rejects with the change that was refused first', async () => {
    const { client } = await connected((op, payload) => {
      if (op === 'TRANSACTION_START') return '5|'
      return payload.startsWith('/bad') ? '!EINVAL' : 'OK|'
    })
    const building = client.pipelinedTransaction((tx) => {
      tx.write('/a', 'x')
      tx.write('/bad/1', 'x')
      tx.mkdir('/bad/2')
    })
    const refusal = { errno: 'EINVAL', op: 'WRITE', path: '/bad/1' }
    await expect(building).rejects.toMatchObject(refusal)
    expect(await client.read('/b')).toBe('OK\0')
  })

  test('is tried again when others were in the way, and says what else the commit answers', async () => {
    const answers = ['!EAGAIN', '!EAGAIN', '!ENOSPC']
    let builds = 0
    const { client } = await connected((op) => {
      if (op === 'TRANSACTION_START') return '5|'
      return op === 'TRANSACTION_END' ? answers.shift() : 'OK|'
    })
    const building = client.pipelinedTransaction((tx) => {
      builds++
      tx.mkdir('/a')
    })
    await expect(building).rejects.toMatchObject({ errno: 'ENOSPC', op: 'TRANSACTION_END' })
    expect(builds).toBe(3)
  })

  test('with a change that is too long is ended without effect', async () => {
    const { client, ops } = await connected((op) => (op === 'TRANSACTION_START' ? '5|' : 'OK|'))
    const building = client.pipelinedTransaction((tx) => {
      tx.write('/a', 'x')
      tx.write('/b', 'x'.repeat(4096))
    })
    await expect(building).rejects.toMatchObject({ errno: 'E2BIG', op: 'WRITE', path: '/b' })
    expect(ops()).toEqual([['TRANSACTION_START'], ['TRANSACTION_END']])
  })

  test('fails with its connection, also by an answer out of turn', async () => {
    const { client } = await connected((op, _, { txId }) => {
      if (op === 'TRANSACTION_START') return '5|'
      return txId === 5 && op === 'MKDIR' ? undefined : 'OK|'
    })
    const building = client.pipelinedTransaction((tx) => {
      tx.mkdir('/never/answered')
      tx.write('/a', 'x')
    })
    await expect(building).rejects.toThrow(/ended: WRITE as the answer to MKDIR$/)
    await expect(client.read('/a')).rejects.toBeInstanceOf(XenstoreConnectionLost)
  })
})

describe('watch', () => {
  test('events go to the watch they carry the token of', async () => {
    const tokens: string[] = []
    const { client, peer } = await connected((_, payload) => {
      tokens.push(payload.split('|')[1] ?? '')
      return 'OK|'
    })
    const seen: string[] = []
    await client.watch('/a', (path) => seen.push(`a ${path}`))
    const second = await client.watch('/b')
    const socket = await peer.connection
    const event = (path: string, token = ''): Buffer =>
      encodePacket(XS_WATCH_EVENT, 0, 0, Buffer.from(`${path}\0${token}\0`))
    socket.write(
      Buffer.concat([
        event('/a/x', tokens[0]),
        event('/b/1', tokens[1]),
        event('/b/1', tokens[1]),
        event('/b/2', tokens[1]),
        event('/elsewhere', 'unknown'),
      ]),
    )
    const paths: string[] = []
    for await (const path of second) {
      paths.push(path)
      if (path === '/b/2') break
    }
    expect(paths).toEqual(['/b/1', '/b/2'])
    expect(seen).toEqual(['a /a/x'])
  })

  test("a handler that throws is the program's affair, not the connection's", async () => {
    const tokens: string[] = []
    const { client, peer } = await connected((op, payload) => {
      if (op === 'WATCH') tokens.push(payload.split('|')[1] ?? '')
      return 'OK|'
    })
    const seen: string[] = []
    await client.watch('/a', (path) => {
      seen.push(path)
      throw new Error('a mistake in a handler')
    })
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    const uncaught = new Promise((resolve) => process.once('uncaughtException', resolve))
    const socket = await peer.connection
    socket.write(encodePacket(XS_WATCH_EVENT, 0, 0, Buffer.from(`/a\0${tokens[0]}\0`)))
    const error = await uncaught
    for (const listener of others) process.on('uncaughtException', listener)
    expect(error).toMatchObject({ message: 'a mistake in a handler' })
    expect(seen).toEqual(['/a'])
    expect(await client.read('/b')).toBe('OK\0')
  })

  test('an iteration ends with its watch, and fails with the connection', async () => {
    const { client, peer } = await connected(() => 'OK|')
    const ended = await client.watch('/a')
    const drain = (async () => {
      for await (const _ of ended);
      return 'ended'
    })()
    await ended.unwatch()
    expect(await drain).toBe('ended')

    const cut = await client.watch('/b')
    const failure = (async () => {
      for await (const _ of cut);
    })()
    const socket = await peer.connection
    socket.destroy()
    await expect(failure).rejects.toBeInstanceOf(XenstoreConnectionLost)
  })
})

describe('a watch with a depth', () => {
  test('says it in a third string, and ends like any other', async () => {
    const payloads: string[] = []
    const { client } = await connected((op, payload) => {
      payloads.push(`${op} ${payload}`)
      return 'OK\0'
    })
    const watch = await client.watch('@releaseDomain', () => undefined, 1)
    await watch.unwatch()
    expect(payloads).toEqual([
      `WATCH @releaseDomain|${watch.token}|1|`,
      `UNWATCH @releaseDomain|${watch.token}|`,
    ])
  })

  test.each([
    ['15\0', true],
    ['4\0', true],
    ['11\0', false],
    ['!ENOSYS', false],
    ['!EACCES', false],
  ])('is offered by who answers GET_FEATURE with %j: %j', async (answer, isOffered) => {
    const { client, ops } = await connected((op) => (op === 'GET_FEATURE' ? answer : 'x\0'))
    expect(await client.offersWatchDepth()).toBe(isOffered)
    // More bytes behind the one without payload: oxenstored waits for them.
    expect(ops()[0]).toEqual(['GET_FEATURE', 'GET_DOMAIN_PATH'])
  })

  test('whether it is offered is not known when the connection ends', async () => {
    const { client, peer } = await connected(() => undefined)
    const asked = client.offersWatchDepth()
    peer.close()
    await expect(asked).rejects.toBeInstanceOf(XenstoreConnectionLost)
  })
})

test('the socket is where upstream looks for it', () => {
  expect(storeSocketPath({})).toBe('/run/xenstored/socket')
  expect(storeSocketPath({ XENSTORED_RUNDIR: '/x' })).toBe('/x/socket')
  expect(storeSocketPath({ XENSTORED_RUNDIR: '/x', XENSTORED_PATH: '/y/s' })).toBe('/y/s')
})
