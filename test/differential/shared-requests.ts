/** What free and orderly sequences ask for in the same way. */
import type { Client, Generator } from './generator.ts'
import { someToken } from './vocabulary.ts'

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
