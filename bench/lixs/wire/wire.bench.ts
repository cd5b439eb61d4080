/** What the client's side does with bytes: requests put together, replies taken out of a stream. */
import { Decoder } from '../../../lixs/wire/decoder.ts'
import { Encoder } from '../../../lixs/wire/encoder.ts'
import { XS_READ, XS_WRITE } from '../../../lixs/wire/ops.ts'
import type { Cases } from '../../report/measure.ts'
import { must } from '../store/a-host.ts'

const MESSAGES = 64
const KEY = '/local/domain/12345/device/vif/0/state'
const VALUE = Buffer.from('4')

export function wireCases(): Cases {
  const parts = [Buffer.from(`${KEY}\0`), VALUE]
  const encoder = new Encoder()
  const addAll = () => {
    for (let i = 0; i < MESSAGES; i++) encoder.add(XS_WRITE, i, 0, parts)
    return encoder.take()
  }
  const stream = Buffer.from(addAll())
  // Not at the border of a message.
  const middle = (stream.length >> 1) + 5
  const fragments = [stream.subarray(0, middle), stream.subarray(middle)]
  return {
    cases: [
      { name: 'encode bytes, 64 in a row', operations: MESSAGES, run: addAll },
      {
        name: 'encode text in place, 64 in a row',
        operations: MESSAGES,
        run() {
          for (let i = 0; i < MESSAGES; i++) {
            encoder.begin(XS_READ, i, 0)
            encoder.addString(KEY)
            must(encoder.end(), 'end')
          }
          return encoder.take()
        },
      },
      {
        name: 'decode 64 at once',
        operations: MESSAGES,
        run() {
          must(new Decoder().push(stream).length === MESSAGES, 'messages')
        },
      },
      {
        name: 'decode 64 in two fragments',
        operations: MESSAGES,
        run() {
          const decoder = new Decoder()
          let messages = 0
          for (const fragment of fragments) messages += decoder.push(fragment).length
          must(messages === MESSAGES, 'messages')
        },
      },
    ],
    close: () => undefined,
  }
}
