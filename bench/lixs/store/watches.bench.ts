/** Who is told of a change: by depth of the path, and with a hundred thousand watches that have no part in it. */
import type { Case, Cases } from '../../report/measure.ts'
import { Host, must } from './a-host.ts'

const UNRELATED = 100_000
const TIMES = 128

export function watchesCases(): Cases {
  const [alone, crowded] = [new Host(), new Host()]
  for (let i = 0; i < UNRELATED; i++) crowded.watch(0, `/elsewhere/${i % 1000}/${i}`)
  const value = Buffer.from('4', 'latin1')
  const prepare = (host: Host) => {
    for (const key of ['unwatched/device/vif/0/state', 'watched/device/vif/0/state', 'ten/state']) {
      host.write(`/local/${key}`, '1')
    }
    host.watch(0, '/local/watched')
    for (let i = 0; i < 10; i++) host.watch(0, '/local/ten', `token ${i}`)
    return (key: string, events: number) => {
      const path = host.pathOf(`/local/${key}`)
      return () => {
        const before = host.events
        for (let i = 0; i < TIMES; i++) {
          must(host.store.write(host.dom0, 0, path, value, 0, value.length), key)
        }
        must(host.events - before === events * TIMES, `events of ${key}`)
      }
    }
  }
  const [few, many] = [prepare(alone), prepare(crowded)]
  const writes = [
    ['WRITE that nobody watches', 'unwatched/device/vif/0/state', 0],
    ['WRITE that 1 watches, 4 levels up', 'watched/device/vif/0/state', 1],
    ['WRITE that 10 watch', 'ten/state', 10],
  ] as const
  const cases = writes.flatMap(([name, key, events]): Case[] => {
    const [runFew, runMany] = [few(key, events), many(key, events)]
    return [
      { name, operations: TIMES, run: runFew },
      { name: `${name}, 100,000 others`, operations: TIMES, run: runMany, beside: runFew },
    ]
  })
  return {
    cases: [
      ...cases,
      {
        name: 'WATCH and UNWATCH, 100,000 others',
        operations: TIMES,
        run: comeAndGo(crowded),
        beside: comeAndGo(alone),
      },
    ],
    close() {
      alone.close()
      crowded.close()
    },
  }
}

function comeAndGo(host: Host): () => void {
  const path = host.pathOf('/local/unwatched/device')
  const token = Buffer.from('a token', 'latin1')
  return () => {
    for (let i = 0; i < TIMES; i++) {
      must(host.store.watch(0, path, token, 0, token.length), 'WATCH')
      must(host.store.unwatch(0, path, token, 0, token.length), 'UNWATCH')
    }
  }
}
