import { describe, expect, test } from 'vitest'
import { OPTIONS } from '../../lixs/option-table.ts'
import { type Options, optionsFrom } from '../../lixs/options.ts'
import { parseCommandLine } from '../../native/os/command-line.ts'
import { startOf } from '../support/a-unit.ts'

function startedWith(files: Readonly<Record<string, string>>): Options {
  const { argv, env } = startOf('lixs/lixs.service', files)
  return optionsFrom(parseCommandLine(OPTIONS, argv, env), env)
}

describe('the unit of lixs', () => {
  test('sets nothing but the foreground where no file says anything', () => {
    expect(startedWith({})).toEqual(optionsFrom(parseCommandLine(OPTIONS, ['--no-fork'], {}), {}))
  })

  test("has no options where Debian's file is as it was shipped", () => {
    const text = '#XENSTORED=/usr/sbin/oxenstored\nXENSTORED_ARGS=\n#XENSTORED_TRACE=[yes|on|1]\n'
    expect(startedWith({ '/etc/default/xen': text })).toEqual(startedWith({}))
  })

  test.each([
    '/etc/default/xen',
    '/etc/default/xencommons',
    '/etc/sysconfig/xencommons',
  ])('keeps to what %s says to xenstored', (path) => {
    const text = 'XENSTORED_ARGS="-Q nodes=7 --keep-orphans"\nXENSTORED_TRACE=yes\n'
    const { quotas, keepOrphans, traceFile } = startedWith({ [path]: text })
    expect({ nodes: quotas.get('nodes'), keepOrphans, traceFile }).toEqual({
      nodes: 7,
      keepOrphans: true,
      traceFile: '/var/log/xen/xenstored-trace.log',
    })
  })

  test('takes the word of its own file last', () => {
    const { quotas, traceFile } = startedWith({
      '/etc/default/lixs': 'LIXS_ARGS="-Q nodes=9 -T /srv/trace"',
      '/etc/default/xen': 'XENSTORED_ARGS="-Q nodes=7"\nXENSTORED_TRACE=1',
    })
    expect([quotas.get('nodes'), traceFile]).toEqual([9, '/srv/trace'])
  })
})
