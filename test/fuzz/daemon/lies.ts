/** The oracle is lied to, and has to notice: what it would never see, it would never find. */
import { Line } from './line.ts'
import { type Lie, LyingProxy } from './lying-proxy.ts'
import { Random } from './random.ts'
import { Samples } from './samples.ts'
import type { Target } from './target.ts'
import type { Violation } from './violation.ts'

const REPLIES_BEFORE = 500

/** @returns what the oracle said of the lie */
export async function noticeOf(target: Target, lie: Lie, seed: number): Promise<string> {
  const path = target.path(`lie-${lie.replaceAll(' ', '-')}.sock`)
  const proxy = await LyingProxy.listen(path, target.socketPath, lie, REPLIES_BEFORE)
  let line: Line | undefined
  const violation = await new Promise<Violation>((resolve, reject) => {
    Line.open(path, {
      name: 'socket',
      kind: 'socket',
      window: 64,
      random: new Random(seed),
      samples: new Samples(),
      onAnswers: () => undefined,
      onViolation: resolve,
    }).then((opened) => {
      line = opened
      opened.fill()
    }, reject)
  })
  await line?.close()
  proxy.close()
  return violation.message
}
