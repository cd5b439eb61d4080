import { expect, test } from 'vitest'
import { ByteRing } from '../../../consoled/byte-ring.ts'
import {
  HISTORY_BYTES,
  HISTORY_TOTAL_BYTES,
  historyShare,
} from '../../../consoled/log/history-share.ts'

const DOMIDS = 32_752

test('the histories of as many consoles as there are domids stay below their bound, all of them full', () => {
  let total = 0
  for (let consoles = 1; consoles <= DOMIDS; consoles++) {
    const ring = new ByteRing(historyShare(consoles))
    // Of many that are alike, one is filled.
    if (consoles <= 2 || consoles === DOMIDS) {
      ring.append(Buffer.alloc(3 * HISTORY_BYTES, 'x'), 0, 3 * HISTORY_BYTES)
      expect(ring.capacity).toBeLessThanOrEqual(historyShare(consoles))
    }
    total += historyShare(consoles)
  }
  expect(total).toBeLessThanOrEqual(HISTORY_TOTAL_BYTES)
  expect(total / 2 ** 20).toBeLessThan(80)
})
