import { afterEach, beforeEach, expect, test } from 'vitest'
import { aConversation, type Conversation, type Peer } from '../../support/a-conversation.ts'

let talk: Conversation
let tool: Peer
beforeEach(() => {
  talk = aConversation()
  tool = talk.tool()
})
afterEach(() => talk.end())

test('log tells which switches are on', () => {
  expect(tool.answer('CONTROL', 'log|')).toBe(
    'CONTROL obj : on\nio  : on\nwrl : off\nacc : off\ntdb : off|',
  )
})

test('log +switch and -switch turn one on and off', () => {
  tool.ask('CONTROL', 'log|+acc|')
  tool.ask('CONTROL', 'log|-io|')
  expect(tool.answer('CONTROL', 'log|')).toBe(
    'CONTROL obj : on\nio  : off\nwrl : off\nacc : on\ntdb : off|',
  )
})

test.each(['io', '+nonsense', '*io', ''])('log %j is invalid', (word) => {
  expect(tool.answer('CONTROL', `log|${word}|`)).toBe('ERROR EINVAL|')
})

test('logfile begins a trace there', () => {
  expect(tool.answer('CONTROL', 'logfile|/x/trace|')).toBe('CONTROL OK|')
  expect([talk.traced.file, talk.traced.isOpen]).toEqual(['/x/trace', true])
})

test('a relative logfile lies in the library directory', () => {
  tool.ask('CONTROL', 'logfile|trace|')
  expect(talk.traced.file).toBe('/var/lib/xen/xenstore/trace')
})

test('a logfile that cannot be opened is EIO, and said in the log', () => {
  talk.traced.unwritable.add('/x/trace')
  expect(tool.answer('CONTROL', 'logfile|/x/trace|')).toBe('ERROR EIO|')
  expect(talk.logged.at(-1)).toContain('cannot trace there')
})

test('log off closes the trace file, log on opens it again', () => {
  tool.ask('CONTROL', 'logfile|/x/trace|')
  expect(tool.answer('CONTROL', 'log|off|')).toBe('CONTROL OK|')
  expect(talk.traced.isOpen).toBe(false)
  expect(tool.answer('CONTROL', 'log|on|')).toBe('CONTROL OK|')
  expect([talk.traced.file, talk.traced.isOpen]).toEqual(['/x/trace', true])
})

test('log on without any file says so in words', () => {
  expect(tool.answer('CONTROL', 'log|on|')).toBe('CONTROL no trace file was named; see logfile|')
})

test('log level tells the levels of the log, by subsystem', () => {
  expect(tool.answer('CONTROL', 'log|level|')).toBe('CONTROL lixs: debug\ndomains: debug|')
})

test('log level sets all of them, or one', () => {
  expect(tool.answer('CONTROL', 'log|level|error|')).toBe('CONTROL OK|')
  expect(tool.answer('CONTROL', 'log|level|info|domains|')).toBe('CONTROL OK|')
  talk.logged.length = 0
  tool.ask('CONTROL', 'print|not logged|')
  talk.guest(7)
  expect(talk.logged.map((line) => JSON.parse(line).msg)).toEqual(['domain introduced'])
})

test.each(['nonsense|', 'info|nonsense|'])('log level %s is invalid', (words) => {
  expect(tool.answer('CONTROL', `log|level|${words}`)).toBe('ERROR EINVAL|')
})

test('print puts a text into the log', () => {
  expect(tool.answer('CONTROL', 'print|hello|')).toBe('CONTROL OK|')
  expect(JSON.parse(talk.logged.at(-1) ?? '')).toMatchObject({ text: 'hello' })
})
