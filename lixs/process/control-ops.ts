import { splitStrings } from '../wire/text.ts'
import type { Exchange } from './exchange.ts'
import { findNul } from './payload.ts'
import type { Services } from './services.ts'

/** CONTROL `command|argument|…` → text. Bytes behind the last NUL are ignored. */
export function control({ control }: Services, exchange: Exchange): void {
  const { bytes, start, end } = exchange
  if (findNul(bytes, start, end) < 0) {
    exchange.fail('EINVAL')
    return
  }
  const whole = bytes.subarray(start, start + bytes.subarray(start, end).lastIndexOf(0) + 1)
  const [command = '', ...words] = splitStrings(whole)
  const answer = control.run(command, words, exchange)
  switch (answer.kind) {
    case 'text':
      exchange.answerText(answer.text)
      return
    case 'error':
      exchange.fail(answer.errno)
      return
    case 'later':
      exchange.isAnswered = true
  }
}
