import { expect, it } from 'vitest'
import { Audience, type ConsoleViewer } from '../../../consoled/attach/audience.ts'

class Witness implements ConsoleViewer {
  readonly writes = undefined
  readonly by = 'a witness'
  isBehind = false
  readonly shown: Buffer[] = []

  show(bytes: Buffer): void {
    this.shown.push(bytes)
  }

  loseCount(): void {}

  resumeTyping(): void {}
  end(): void {}
}

it('a hundred viewers share one copy of what the guest said', () => {
  const audience = new Audience()
  const viewers = Array.from({ length: 100 }, () => new Witness())
  for (const viewer of viewers) audience.add(viewer)
  const batch = Buffer.from('..hello..')
  audience.show(batch, 2, 7)
  batch.fill(0)
  const [first] = viewers[0]?.shown ?? []
  expect(first?.toString()).toBe('hello')
  for (const { shown } of viewers) {
    expect(shown).toHaveLength(1)
    expect(shown[0]).toBe(first)
  }
})

it('nothing is copied for viewers that do not keep up', () => {
  const audience = new Audience()
  const [behind, there] = [new Witness(), new Witness()]
  behind.isBehind = true
  audience.add(behind)
  audience.add(there)
  audience.show(Buffer.from('hello'), 0, 5)
  expect(behind.shown).toEqual([])
  expect(there.shown).toHaveLength(1)
})
