import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { compareLogs, LineOrder } from '../../../bench/consoles/logs.ts'
import type { Printed } from '../../../native/simulator/control.ts'

const line = (number: number): string => `guest 7 line ${number} the quick brown fox\r\n`
const lines = (...numbers: number[]): string => numbers.map(line).join('')

describe('logs against what guests have printed', () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'xcl-test-'))
  })
  afterEach(() => rmSync(dir, { recursive: true }))

  function compare(said: string, logged: string | undefined) {
    const printed: Printed = {
      domid: 7,
      lines: said.split('\n').length - 1,
      bytes: said.length,
      crc32: crc32(said),
    }
    const path = join(dir, 'guest-g.log')
    if (logged !== undefined) writeFileSync(path, logged)
    return compareLogs([{ domid: 7, name: 'g' }], [printed], () => path)
  }

  it('are equal byte by byte', () => {
    expect(compare(lines(1, 2, 3), lines(1, 2, 3))).toMatchObject({ equal: 1, lostLines: 0 })
  })

  it('lack lines', () => {
    expect(compare(lines(1, 2, 3), lines(1, 3))).toMatchObject({ equal: 0, lostLines: 1 })
  })

  it('are empty where nobody made one', () => {
    expect(compare(lines(1, 2), undefined)).toMatchObject({
      equal: 0,
      lostLines: 2,
      loggedBytes: 0,
    })
  })

  it('have lines more than once', () => {
    const found = compare(lines(1, 2, 3), lines(1, 2, 2, 2, 3))
    expect(found).toMatchObject({ equal: 0, lostLines: 0, repeatedLines: 2 })
  })

  it('have lines that nobody printed', () => {
    const cut = `${lines(1)}guest 7 li${lines(2)}`
    expect(compare(lines(1, 2), cut)).toMatchObject({ equal: 0, lostLines: 1, strangeLines: 1 })
    expect(compare(lines(1), lines(1, 9))).toMatchObject({ equal: 0, strangeLines: 1 })
  })

  it('have the right lines in the wrong order', () => {
    const found = compare(lines(1, 2), lines(2, 1))
    expect(found).toMatchObject({ equal: 0, lostLines: 0, repeatedLines: 0 })
  })
})

describe('lines that a viewer sees', () => {
  it('may begin in the middle of one, and follow each other from there', () => {
    const order = new LineOrder()
    order.add(lines(4).slice(10) + lines(5))
    order.add(lines(6).slice(0, 9))
    order.add(lines(6).slice(9) + lines(7))
    expect(order).toMatchObject({ lines: 3, outOfOrder: 0 })
  })

  it('are out of order where one is missing or comes again', () => {
    const order = new LineOrder()
    order.add(lines(1, 2, 4, 5, 5))
    expect(order).toMatchObject({ lines: 5, outOfOrder: 2 })
  })

  it('count as many as are missing', () => {
    const order = new LineOrder()
    order.add(lines(1, 2, 9, 10))
    expect(order).toMatchObject({ lines: 4, outOfOrder: 6 })
  })
})
