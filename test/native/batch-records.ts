/** The records of a batch, one after another, for those who look at them and need not be fast. */
import {
  type Batch,
  type ConnectionId,
  RECORD_CONNECTION,
  RECORD_FLAGS,
  RECORD_LEN,
  RECORD_REQ_ID,
  RECORD_TX_ID,
  RECORD_TYPE,
  RECORD_WORDS,
} from '../../native/ring-set.ts'

/** One record of a batch, copied. */
export interface BatchRecord {
  readonly connection: ConnectionId
  /** HINT_… of a request. */
  readonly hint: number
  readonly type: number
  readonly reqId: number
  readonly txId: number
  readonly payload: Buffer
}

/** Walks a batch while it is handled; its buffer is reused afterwards, the records are not. */
export function* recordsOf(batch: Batch): Generator<BatchRecord> {
  const { words, bytes } = batch
  for (let at = 0; at < batch.length; ) {
    const len = words[at + RECORD_LEN] as number
    const from = (at + RECORD_WORDS) * 4
    yield {
      connection: words[at + RECORD_CONNECTION] as ConnectionId,
      hint: words[at + RECORD_FLAGS] as number,
      type: words[at + RECORD_TYPE] as number,
      reqId: words[at + RECORD_REQ_ID] as number,
      txId: words[at + RECORD_TX_ID] as number,
      payload: Buffer.from(bytes.subarray(from, from + len)),
    }
    at += RECORD_WORDS + ((len + 3) >> 2)
  }
}
