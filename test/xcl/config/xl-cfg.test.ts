import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import {
  type Assignment,
  parseAssignments,
  parseXlCfg,
  printXlCfg,
} from '../../../xcl/config/xl-cfg.ts'
import { ConfigError } from '../../../xcl/output/errors.ts'

const NOWHERE = { line: 1, column: 1 }

/** Text that may stand in a string: anything but NUL and lone surrogates. */
const aText = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !text.includes('\0'))
const aNumber = fc.stringMatching(/^[0-9][0-9a-fx]{0,6}$/)
const { value: aValue } = fc.letrec<{ value: Assignment['value'] }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    aText.map((text) => ({ kind: 'string' as const, text, position: NOWHERE })),
    aNumber.map((text) => ({ kind: 'number' as const, text, position: NOWHERE })),
    fc
      .array(tie('value'), { maxLength: 4 })
      .map((items) => ({ kind: 'list' as const, items, position: NOWHERE })),
  ),
}))
const anAssignment = fc.record({
  name: fc.stringMatching(/^[a-z][._0-9a-z]{0,10}$/),
  operator: fc.constantFrom<'=' | '+='>('=', '+='),
  value: aValue,
  position: fc.constant(NOWHERE),
})

function parse(text: string): Assignment[] {
  return parseAssignments({ file: 'demo.cfg', text })
}

/** The same without positions: names, operators and values as nested arrays and text. */
function bare(assignments: readonly Assignment[]): unknown {
  const plain = (value: Assignment['value']): unknown =>
    value.kind === 'list' ? value.items.map(plain) : { [value.kind]: value.text }
  return assignments.map(({ name, operator, value }) => [name, operator, plain(value)])
}

function failure(text: string): ConfigError {
  try {
    parse(text)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error(`parsed: ${text}`)
}

describe('a configuration', () => {
  property.prop([fc.array(anAssignment, { maxLength: 8 })])(
    'that was printed parses to what it was',
    (assignments) => {
      expect(bare(parse(printXlCfg(assignments)))).toEqual(bare(assignments))
    },
  )

  property.prop([fc.string({ maxLength: 60 })])(
    'of any text parses, or fails with a place in it',
    (text) => {
      try {
        parse(text)
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        expect(error.place?.line).toBeGreaterThan(0)
        expect(error.place?.line).toBeLessThanOrEqual(text.split('\n').length)
      }
    },
  )

  test.each([
    ['', []],
    ['\n\n # a comment\n', []],
    ['a=1', [['a', '=', { number: '1' }]]],
    [
      'a=1;b=2;',
      [
        ['a', '=', { number: '1' }],
        ['b', '=', { number: '2' }],
      ],
    ],
    ['a = 0x1f # hex', [['a', '=', { number: '0x1f' }]]],
    ["a.b_c = 'it\\'s'", [['a.b_c', '=', { string: "it's" }]]],
    ['a = "\\n\\t\\\\\\"\\x41\\101"', [['a', '=', { string: '\n\t\\"AA' }]]],
    ['a = [ 1, # one\n "b",\n ]\n', [['a', '=', [{ number: '1' }, { string: 'b' }]]]],
    ['a = [ [], [[1]] ]', [['a', '=', [[], [[{ number: '1' }]]]]]],
    [
      'a += [ 1 ]\r\nb=2\r\n',
      [
        ['a', '+=', [{ number: '1' }]],
        ['b', '=', { number: '2' }],
      ],
    ],
  ])('%j is read as statements', (text, expected) => {
    expect(bare(parse(text))).toEqual(expected)
  })

  test.each([
    ['name = "demo"\nMemory = 64', 2, 1],
    ['a = 1 b = 2', 1, 7],
    ['a = "x\ny"', 1, 7],
    ['a = "\\q"', 1, 6],
    ['a = -1', 1, 5],
    ['a = [ 1 2 ]', 1, 9],
    ['a = [,]', 1, 6],
    ['a = 12g', 1, 7],
    ['a =', 1, 4],
    ['= 1', 1, 1],
    ['a = 1\n\n  b = python + 1', 3, 7],
  ])('%j is wrong at line %i, column %i', (text, line, column) => {
    expect(failure(text).place).toMatchObject({ file: 'demo.cfg', line, column })
  })

  test('says what was expected', () => {
    expect(failure('memory = lots').message).toBe(
      'expected a list or a number or a string in quotes, found "l"',
    )
    expect(failure('memory = lots').hint).toMatch(/Python/)
    expect(failure('Memory = 1').hint).toMatch(/lower case/)
  })
})

describe('options', () => {
  const options = (...texts: string[]) => parseXlCfg(texts.map((text) => ({ file: 'f', text })))
  const assigned = (name: string, ...texts: string[]) => options(...texts).get(name)?.value

  test('are what was assigned last', () => {
    expect(assigned('memory', 'memory=1\nmemory=2', 'memory=3')).toMatchObject({ text: '3' })
  })

  test.each([
    ['extra = "a\\0b"', 'extra', { line: 1, column: 9 }],
    ["kernel = '/boot/k\\x00'", 'kernel', { line: 1, column: 10 }],
    ['name = "a\0b"', 'name', { line: 1, column: 8 }],
    ['disk = [ "one",\n  "two\\000" ]', 'disk', { line: 2, column: 3 }],
    ['name = "a"\nvif += [ [ "bridge=x\\0" ] ]', 'vif', { line: 2, column: 12 }],
  ])('%j holds a NUL character, at its place', (text, name, place) => {
    expect(() => options(text)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining(`${name}: must not contain a NUL character`),
        place: expect.objectContaining({ file: 'f', ...place }),
      }),
    )
  })

  test('of lists and strings can be appended to', () => {
    expect(assigned('a', 'a="x"\na+="y"')).toMatchObject({ text: 'xy' })
    expect(assigned('a', 'a=[1]', 'a+=[2,3]')).toMatchObject({
      items: [{ text: '1' }, { text: '2' }, { text: '3' }],
    })
    expect(() => options('a="x"\na+=[1]')).toThrow(ConfigError)
  })
})
