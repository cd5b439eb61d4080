/**
 * Requests come with the node that native code has found for their path. What the requests before them in
 * the same batch have done counts all the same.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { encodePacket } from '../../../lixs/wire/encoder.ts'
import {
  XS_DIRECTORY,
  XS_MKDIR,
  XS_READ,
  XS_RM,
  XS_SET_PERMS,
  XS_WRITE,
} from '../../../lixs/wire/ops.ts'
import type { Packet } from '../../../lixs/wire/packet.ts'
import { aDaemon, type RingGuest, type RunningDaemon, turn } from '../../support/a-daemon.ts'

const HOME = '/local/domain/1'
const PATH_MAX = 24

let daemon: RunningDaemon
let guests: RingGuest[]

beforeEach(async () => {
  daemon = aDaemon({ quotas: { pathMax: PATH_MAX } })
  const tool = await daemon.connect()
  guests = []
  for (const domid of [1, 2, 3, 4]) {
    const guest = daemon.guest(domid)
    await tool.mkdir(`/local/domain/${domid}`)
    await tool.setPerms(`/local/domain/${domid}`, [`n${domid}`])
    await tool.introduce(domid, 0, guest.end.port)
    guests.push(guest)
  }
  await tool.write(`${HOME}/old`, 'old')
  // Everybody may do everything there.
  await tool.setPerms(HOME, ['b1'])
  await tool.setPerms(`${HOME}/old`, ['b1'])
})

afterEach(() => daemon.stop())

const packet = (type: number, text: string) =>
  encodePacket(type, 1, 0, Buffer.from(text.replaceAll('|', '\0')))

/** Lets guest after guest ask, all before the daemon looks. @returns their replies, `|` for NUL */
async function ask(...requests: readonly (readonly [number, string])[]): Promise<string[]> {
  for (const [i, [type, text]] of requests.entries()) void guests[i]?.put(packet(type, text))
  const replies: Packet[][] = requests.map(() => [])
  while (replies.some(({ length }) => length === 0)) {
    await turn()
    for (const [i, reply] of replies.entries()) reply.push(...(guests[i]?.takeAll() ?? []))
  }
  return replies.map(([reply]) =>
    Buffer.from(reply?.payload ?? [])
      .toString('latin1')
      .replaceAll('\0', '|'),
  )
}

test('what was removed before is not there', async () => {
  const replies = await ask([XS_RM, 'old|'], [XS_READ, `${HOME}/old|`], [XS_MKDIR, `${HOME}/old|`])
  expect(replies).toEqual(['OK|', 'ENOENT|', 'OK|'])
})

test('what has taken its place has another path', async () => {
  const replies = await ask(
    [XS_RM, 'old|'],
    [XS_WRITE, `${HOME}/new|new`],
    [XS_READ, `${HOME}/old|`],
    [XS_WRITE, `${HOME}/old|again`],
  )
  expect(replies).toEqual(['OK|', 'OK|', 'ENOENT|', 'OK|'])
  const after = await ask([XS_READ, 'old|'], [XS_READ, `${HOME}/new|`])
  expect(after).toEqual(['again', 'new'])
})

test('a node that somebody waits for is not there either', async () => {
  const watcher = await daemon.connect()
  await watcher.watch(`${HOME}/old`, () => undefined)
  const replies = await ask([XS_RM, 'old|'], [XS_READ, `${HOME}/old|`], [XS_RM, `${HOME}/old|`])
  expect(replies).toEqual(['OK|', 'ENOENT|', 'OK|'])
})

test('permissions count that were set before', async () => {
  const replies = await ask([XS_SET_PERMS, 'old|n1|'], [XS_READ, `${HOME}/old|`])
  expect(replies).toEqual(['OK|', 'EACCES|'])
})

test('a path that a guest may not name is refused, be there a node or not', async () => {
  const tool = await daemon.connect()
  const longest = 'n'.repeat(PATH_MAX)
  for (const name of [longest, `${longest}n`]) await tool.write(`${HOME}/${name}`, 'value')
  await tool.setPerms(`${HOME}/${longest}`, ['n1'])
  await tool.setPerms(`${HOME}/${longest}n`, ['n1'])
  const [guest] = guests
  expect(await guest?.ask(XS_READ, `${longest}|`)).toBe('value')
  expect(await guest?.ask(XS_READ, `${HOME}/${longest}|`)).toBe('value')
  expect(await guest?.ask(XS_READ, `${longest}n|`)).toBe('EINVAL|')
  expect(await guest?.ask(XS_READ, `${HOME}/${longest}n|`)).toBe('EINVAL|')
  expect(await tool.read(`${HOME}/${longest}n`)).toBe('value')
})

test('more than a path is refused where only a path may be', async () => {
  const [guest] = guests
  expect(await guest?.ask(XS_READ, 'old|more|')).toBe('EINVAL|')
  expect(await guest?.ask(XS_READ, 'old|more')).toBe('EINVAL|')
  expect(await guest?.ask(XS_RM, 'old||')).toBe('EINVAL|')
  expect(await guest?.ask(XS_READ, 'old|')).toBe('old')
})

test('a special path is not relative, whatever there is at home', async () => {
  const tool = await daemon.connect()
  await tool.write(`${HOME}/@releaseDomain`, 'at home')
  await tool.write(`${HOME}/@other/below`, 'at home')
  for (const path of ['@releaseDomain', '@other', '@other/below']) {
    for (const type of [XS_READ, XS_MKDIR, XS_RM, XS_DIRECTORY]) {
      expect(await ask([type, `${path}|`])).toEqual(['EINVAL|'])
    }
    expect(await ask([XS_WRITE, `${path}|mine`])).toEqual(['EINVAL|'])
  }
  expect(await tool.read(`${HOME}/@releaseDomain`)).toBe('at home')
})
