import { describe, expect, it } from 'vitest'
import { OPTIONS, type OptionName } from '../../consoled/option-table.ts'
import { type Options, optionsFrom } from '../../consoled/options.ts'
import { parseCommandLine } from '../../native/os/command-line.ts'
import { startOf } from '../support/a-unit.ts'

function startedWith(files: Readonly<Record<string, string>>): Options {
  const { argv, env } = startOf('consoled/consoled.service', files)
  return optionsFrom(parseCommandLine<OptionName>(OPTIONS, argv, env))
}

describe('the unit of consoled', () => {
  it('logs guests where no file says anything', () => {
    expect(startedWith({})).toMatchObject({
      isForeground: true,
      logsGuests: true,
      logsHypervisor: false,
      logDir: '/var/log/xen/console',
    })
  })

  it.each([
    '/etc/default/xen',
    '/etc/default/xencommons',
    '/etc/sysconfig/xencommons',
  ])('keeps to what %s says to xenconsoled', (path) => {
    const text =
      'XENCONSOLED_TRACE=all\nXENCONSOLED_LOG_DIR=/srv/consoles\nXENCONSOLED_ARGS="-t hv -o keep"\n'
    expect(startedWith({ [path]: text })).toMatchObject({
      logsGuests: true,
      logsHypervisor: true,
      logDir: '/srv/consoles',
      stampsGuests: false,
      stampsHypervisor: true,
      overflow: 'keep',
    })
  })

  it('logs nothing where xenconsoled was told to', () => {
    const expected = { logsGuests: false, logsHypervisor: false }
    expect(startedWith({ '/etc/default/xencommons': 'XENCONSOLED_TRACE=none' })).toMatchObject(
      expected,
    )
    expect(startedWith({ '/etc/default/xencommons': 'XENCONSOLED_TRACE=' })).toMatchObject(expected)
  })

  it('adds no guests to what the arguments of Debian log', () => {
    const files = { '/etc/default/xen': '#XENCONSOLED_TRACE=all\nXENCONSOLED_ARGS=--log=hv' }
    expect(startedWith(files)).toMatchObject({ logsGuests: false, logsHypervisor: true })
  })

  it.each([
    'XENCONSOLED_TRACE=hv\nXENCONSOLED_ARGS=-t hv',
    'CONSOLED_ARGS=--log hv -t none -t hv',
  ])('takes the word of its own file last: %j', (own) => {
    const files = {
      '/etc/default/consoled': own,
      '/etc/default/xen': 'XENCONSOLED_TRACE=guest\nXENCONSOLED_ARGS=-t guest',
    }
    expect(startedWith(files)).toMatchObject({
      logsGuests: false,
      logsHypervisor: true,
      stampsGuests: false,
      stampsHypervisor: true,
    })
  })
})
