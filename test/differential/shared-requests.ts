/** What free and orderly sequences ask for in the same way. */
import type { Client, Generator } from './generator.ts'
import { someToken } from './vocabulary.ts'

/** Numbers that are no operation, or none for a client. */
export const UNKNOWN_OPS = [15, 16, 20, 27, 99, 65535, 0xffffffff] as const

/** Operation and payload: too few strings, too many, or one that does not end. */
export const MALFORMED: readonly (readonly [op: string, payload: string])[] = [
  ['WRITE', 'no-end'],
  ['WRITE', ''],
  ['SET_PERMS', '/open|'],
  ['SET_PERMS', '/open'],
  ['WATCH', '/open|'],
  ['WATCH', '/open|t'],
  ['WATCH', '/open|t|x|'],
  ['WATCH', ''],
  ['UNWATCH', '/open|'],
  ['UNWATCH', '/open|t|u|'],
  ['TRANSACTION_END', 'T|'],
  ['TRANSACTION_END', 'x'],
  ['GET_DOMAIN_PATH', ''],
  ['GET_DOMAIN_PATH', '1'],
  ['GET_DOMAIN_PATH', '1|2|'],
  ['DIRECTORY_PART', '/open|'],
  ['DIRECTORY_PART', '/open|0|0|'],
  ['TRANSACTION_START', ''],
  ['RESET_WATCHES', ''],
]

/** Somebody asks for one of these. */
export function sendOneOf(
  generator: Generator,
  requests: readonly (readonly [op: string, payload: string])[],
): void {
  const [op, payload] = generator.random.pick(requests)
  generator.send(generator.someClient(), op, payload)
}

/** One of the client's transactions, or none; a transaction belongs to its connection. */
export function someTransaction(generator: Generator, client: Client): { readonly tx?: string } {
  const { random } = generator
  const open = [...client.transactions, ...client.doomed]
  return open.length > 0 && random.chance(700) ? { tx: random.pick(open) } : {}
}

/** Begins to watch what becomes of domains. */
export function watchSpecial(generator: Generator, client = generator.someClient()): void {
  const { random } = generator
  const path = random.pick(['@introduceDomain', '@releaseDomain', '@other'])
  const payload = `${path}|${someToken(random)}|`
  generator.send(client, 'WATCH', payload)
  client.watches.push(payload)
}
