import { describe, expect, test } from 'vitest'
import { Progress } from '../../../bench/start/progress.ts'

/** What was written, and a clock that the test sets. */
function anOutput(isTTY: boolean, columns = 80) {
  let written = ''
  const clock = { ms: 0 }
  const output = {
    isTTY,
    columns,
    write: (text: string | Uint8Array) => {
      written += text
      return true
    },
  }
  const progress = new Progress(output, () => clock.ms)
  return { progress, clock, written: () => written }
}

describe('on a terminal', () => {
  test('one line is written anew, at most ten times a second', () => {
    const { progress, clock, written } = anOutput(true)
    for (let ms = 0; ms < 1000; ms += 10) {
      clock.ms = ms
      progress.show(ms, () => `at ${ms}`)
    }
    expect(written().split('\r').filter(Boolean)).toHaveLength(10)
    expect(written()).not.toContain('\n')
  })

  test('it is never as wide as the terminal, which would wrap it', () => {
    const { progress, written } = anOutput(true, 10)
    progress.show(1, () => 'x'.repeat(50))
    expect(written()).toBe(`\r${'x'.repeat(9)}\x1b[K`)
  })

  test('a line that stays takes its place', () => {
    const { progress, written } = anOutput(true)
    progress.show(1, () => 'soon')
    progress.say('done')
    expect(written()).toBe('\rsoon\x1b[K\r\x1b[Kdone\n')
  })
})

describe('where there is no terminal', () => {
  test('there is a line each thousand', () => {
    const { progress, written } = anOutput(false)
    for (let done = 1; done <= 2500; done++) progress.show(done, () => `${done} done`)
    expect(written()).toBe('1000 done\n2000 done\n')
  })

  test('what is said meanwhile brings none of them again; a new row of steps has its own', () => {
    const { progress, written } = anOutput(false)
    for (let done = 999; done <= 1001; done++) {
      progress.show(done, () => `${done} done`)
      progress.say('!')
    }
    for (let done = 999; done <= 1001; done++) progress.show(done, () => `${done} more`)
    expect(written()).toBe('!\n1000 done\n!\n!\n1000 more\n')
  })
})
