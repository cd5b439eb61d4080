import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { journalFields } from '../../consoled/log/journal.ts'
import { JOURNAL_LINE_MAX } from '../../consoled/log/journal-log.ts'
import { OPTIONS } from '../../consoled/option-table.ts'
import { parseEntry } from '../support/a-journal.ts'
import { manOptions } from '../support/man-options.ts'

const page = readFileSync(new URL('../../consoled/consoled.8.md', import.meta.url), 'utf8')

/** The text of one section. */
function section(name: string): string {
  const [, text = ''] = page.split(`\n## ${name}\n`)
  return text.split('\n## ')[0]?.trim() ?? ''
}

test('the manual page lists the options as the table has them', () => {
  expect(section('OPTIONS')).toBe(manOptions(OPTIONS).trim())
})

test('the manual page tells every field of an entry of the journal', () => {
  const speaker = { identifier: 'consoled', domid: 7, uuid: 'uuid', name: 'web' }
  const noText = Buffer.from('\0\0\0\0\0\0\0\0\n', 'latin1')
  const entry = parseEntry(Buffer.concat([journalFields(speaker), noText]))
  const told = section('LOGS').matchAll(/\*\*([A-Z_]+)\*\*/g)
  expect([...told].map(([, name]) => name).sort()).toEqual([...entry.keys()].sort())
  expect(section('LOGS')).toContain(`${JOURNAL_LINE_MAX.toLocaleString('en')} bytes`)
})
