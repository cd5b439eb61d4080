import { writeDecimal } from './decimal.ts'
import type { Exchange } from './exchange.ts'
import type { Services } from './services.ts'

const LETTER_T = 0x54
const LETTER_F = 0x46

/** TRANSACTION_START: payload ignored; answers the new transaction's id. */
export function transactionStart({ store }: Services, exchange: Exchange): void {
  if (exchange.tx !== 0) {
    exchange.fail('EBUSY')
    return
  }
  const id = store.startTransaction(exchange.connection)
  if (typeof id !== 'number') {
    exchange.fail(id)
    return
  }
  const at = exchange.beginReply()
  const end = writeDecimal(exchange.replyBytes, at, id)
  exchange.replyBytes[end] = 0
  exchange.endReply(end + 1 - at)
}

/** TRANSACTION_END `T|` or `F|`: commits or drops it. A malformed one leaves it open. */
export function transactionEnd({ store }: Services, exchange: Exchange): void {
  const { bytes, start, end, tx } = exchange
  const letter = bytes[start]
  const isWellFormed =
    end - start === 2 && (letter === LETTER_T || letter === LETTER_F) && bytes[start + 1] === 0
  if (!isWellFormed) exchange.fail('EINVAL')
  else if (tx === 0) exchange.fail('ENOENT')
  else exchange.answer(store.endTransaction(tx, letter === LETTER_T))
}
