import { expect, onTestFinished, test } from 'vitest'
import { expositionText } from '../../../../native/os/metrics/exposition.ts'
import { Histogram } from '../../../../native/os/metrics/histogram.ts'
import { StateMemory } from '../../../../native/os/state-memory.ts'
import { parseExposition } from './parse-exposition.ts'

function aHistogram(bounds: readonly number[]): Histogram {
  const memory = StateMemory.anonymous(2 ** 20)
  onTestFinished(() => memory.close())
  return new Histogram(memory, 'test', bounds)
}

test('a family is its help, its type, its samples', () => {
  const samples = [{ value: 3, labels: { op: 'READ', result: 'OK' } }, { value: 4.5 }]
  expect(expositionText([{ name: 'lixs_x_total', help: 'What.', type: 'counter', samples }])).toBe(
    '# HELP lixs_x_total What.\n# TYPE lixs_x_total counter\n' +
      'lixs_x_total{op="READ",result="OK"} 3\nlixs_x_total 4.5\n',
  )
})

test('a histogram cumulates, and ends with +Inf, sum and count', () => {
  const histogram = aHistogram([0.000025, 1, 5])
  histogram.observe(0.00001, 1)
  histogram.observe(1, 2)
  histogram.observe(7, 3)
  expect(expositionText([{ name: 'h', help: 'H', type: 'histogram', histogram }])).toBe(
    '# HELP h H\n# TYPE h histogram\n' +
      'h_bucket{le="0.000025"} 1\nh_bucket{le="1"} 3\nh_bucket{le="5"} 3\nh_bucket{le="+Inf"} 6\n' +
      'h_sum 23.00001\nh_count 6\n',
  )
})

test('help and labels are escaped as the format wants it', () => {
  const samples = [{ value: 1, labels: { path: 'a"b\\c\nd' } }]
  const text = expositionText([{ name: 'g', help: 'one\ntwo\\', type: 'gauge', samples }])
  expect(text).toContain('# HELP g one\\ntwo\\\\\n')
  expect(text).toContain('g{path="a\\"b\\\\c\\nd"} 1\n')
  expect(parseExposition(text).get('g')?.samples.size).toBe(1)
})

test.each([
  ['# HELP a A\n# TYPE a counter\na 1\n', 'a is a counter'],
  ['# HELP a_total A\n# TYPE a_total gauge\na_total 1\n', 'a_total is a gauge'],
  ['# HELP a A\n# TYPE a gauge\na 1', 'no newline'],
  ['# HELP a A\n# TYPE a gauge\na one\n', 'no sample'],
  ['# HELP a A\n# TYPE a gauge\na{b="c\n"} 1\n', 'no sample'],
  ['# HELP a A\n# TYPE a gauge\na 1\na 1\n', 'comes twice'],
  ['# HELP a A\n# TYPE a gauge\nb 1\n', 'another family'],
  ['# TYPE a gauge\na 1\n', 'TYPE'],
  ['a 1\n', 'no sample'],
  [
    '# HELP a A\n# TYPE a histogram\na_bucket{le="1"} 1\na_sum 1\na_count 1\n',
    'no bucket for +Inf',
  ],
  [
    '# HELP a A\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
    'not cumulated',
  ],
  ['# HELP a A\n# TYPE a histogram\na_bucket{le="+Inf"} 2\na_sum 1\na_count 1\n', 'not the count'],
])('the parser of these tests refuses %j', (text, sentence) => {
  expect(() => parseExposition(text)).toThrow(sentence)
})
