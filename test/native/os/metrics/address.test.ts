import { expect, test } from 'vitest'
import { metricsAddressFrom } from '../../../../native/os/metrics/address.ts'

test.each([
  ['unix:/run/lixs/metrics', { kind: 'unix', path: '/run/lixs/metrics' }],
  [':9100', { kind: 'tcp', host: '127.0.0.1', port: 9100 }],
  ['0.0.0.0:9100', { kind: 'tcp', host: '0.0.0.0', port: 9100 }],
  ['localhost:0', { kind: 'tcp', host: 'localhost', port: 0 }],
  ['[::1]:9100', { kind: 'tcp', host: '::1', port: 9100 }],
])('%s is an address', (text, address) => {
  expect(metricsAddressFrom(text)).toEqual(address)
})

test.each([
  '',
  'unix:',
  '9100',
  ':',
  'host:',
  'host:port',
  ':65536',
  '::1:9100',
])('%j is none', (text) => {
  expect(() => metricsAddressFrom(text)).toThrow('is not unix:/PATH, HOST:PORT or :PORT')
})
