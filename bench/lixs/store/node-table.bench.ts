/** Resident bytes that a node of a typical name and value takes, when there are a million of them. */
import type { Found } from '../../report/measure.ts'
import { Host } from './a-host.ts'

const NODES = 1e6
const CHILDREN = 100

export function bytesPerNode(): Found[] {
  const host = new Host()
  host.write('/warm', 'up')
  const before = process.memoryUsage().rss
  for (let i = 0; i < NODES / CHILDREN; i++) {
    for (let j = 0; j < CHILDREN; j++) host.write(`/n/${i}/state-${j}`, 'online')
  }
  const bytes = (process.memoryUsage().rss - before) / NODES
  host.close()
  return [{ name: `a node, of ${NODES} nodes`, figure: bytes, amount: bytes, unit: 'bytes' }]
}
