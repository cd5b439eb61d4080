import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { OPTIONS } from '../../lixs/option-table.ts'
import { TRACE_NAMES, TRACE_SWITCHES } from '../../lixs/trace.ts'
import { aConversation } from '../support/a-conversation.ts'
import { manOptions } from '../support/man-options.ts'

const page = readFileSync(new URL('../../lixs/lixs.8.md', import.meta.url), 'utf8')

/** The text of one section. */
function section(name: string): string {
  const [, text = ''] = page.split(`\n## ${name}\n`)
  return text.split('\n## ')[0]?.trim() ?? ''
}

test('the manual page lists the options as the table has them', () => {
  expect(section('OPTIONS')).toBe(manOptions(OPTIONS).trim())
})

test('the manual page tells every switch of the trace', () => {
  const switches = TRACE_NAMES.map((name) => {
    const { help, isDefault } = TRACE_SWITCHES[name]
    return `**${name}**\n: ${help}${isDefault ? ' (on unless told)' : ''}\n`
  })
  expect(section('TRACE')).toContain(switches.join('\n').trim())
})

test('the manual page tells every command of CONTROL', () => {
  const talk = aConversation()
  const names = talk
    .tool()
    .answer('CONTROL', 'help|')
    .replace(/^CONTROL |\|$/g, '')
    .split('\n')
    .map((line) => line.split(' ')[0])
  talk.end()
  const told = [...section('COMMANDS').matchAll(/^\*\*([a-z-]+)/gm)].map(([, name]) => name)
  expect([...new Set(told)]).toEqual(names)
})
