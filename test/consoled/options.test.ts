import { describe, expect, it } from 'vitest'
import { OPTIONS, type OptionName } from '../../consoled/option-table.ts'
import { type Options, optionsFrom } from '../../consoled/options.ts'
import { configText, parseCommandLine, UsageError } from '../../native/os/command-line.ts'

function parsed(...argv: string[]): Options {
  return optionsFrom(parseCommandLine<OptionName>(OPTIONS, argv, {}))
}

describe('the options of consoled', () => {
  it('are without any those of the stock daemon: in the background, no logs', () => {
    expect(parsed()).toMatchObject({
      isForeground: false,
      pidFile: '/run/xen/xenconsoled.pid',
      logsGuests: false,
      logsHypervisor: false,
      logDir: '/var/log/xen/console',
      overflow: 'discard',
      attachPath: '/run/xen/consoled.sock',
      tty: 'asked',
      maxOpenLogs: Number.POSITIVE_INFINITY,
      maxLogBytes: Number.POSITIVE_INFINITY,
      keptLogs: 5,
      statePath: '/run/xen/consoled.state',
      logsToFiles: true,
      logsToJournal: false,
      journalPath: '/run/systemd/journal/socket',
      metrics: undefined,
    })
  })

  it("take the command line of upstream's unit", () => {
    const options = parsed('-i', '--log=all', '--log-dir=/tmp/logs', '-t', 'guest')
    expect(options).toMatchObject({
      isForeground: true,
      pidFile: undefined,
      logFile: undefined,
      logsGuests: true,
      logsHypervisor: true,
      stampsGuests: true,
      stampsHypervisor: false,
      logDir: '/tmp/logs',
    })
  })

  it.each([
    [['--timestamp=hv', '--log', 'hv'], { stampsHypervisor: true, logsGuests: false }],
    [['-o', 'keep', '--replace-escape'], { overflow: 'keep', replacesEscape: true }],
    [['--log=guest', '--log=hv'], { logsGuests: true, logsHypervisor: true }],
    [['--log=all', '--log=none', '-t', 'all'], { logsGuests: false, stampsHypervisor: true }],
    [['--log-to=both'], { logsToFiles: true, logsToJournal: true }],
    [['--log-to=journal'], { logsToFiles: false, logsToJournal: true }],
    [['--journal=/tmp/j'], { journalPath: '/tmp/j', logsToFiles: true, logsToJournal: false }],
    [['--metrics=:9100'], { metrics: { kind: 'tcp', host: '127.0.0.1', port: 9100 } }],
    [['--metrics=unix:/tmp/m'], { metrics: { kind: 'unix', path: '/tmp/m' } }],
    [['--no-fork', '-v'], { isForeground: true, logLevel: 'debug' }],
    [['--open-logs', '5'], { maxOpenLogs: 5 }],
    [['--pid-file=/tmp/x.pid'], { pidFile: '/tmp/x.pid' }],
    [['--log-max-size', '64k', '--log-keep', '0'], { maxLogBytes: 65_536, keptLogs: 0 }],
    [['--log-max-size=1G'], { maxLogBytes: 2 ** 30, keptLogs: 5 }],
    [['--log-max-size=0'], { maxLogBytes: Number.POSITIVE_INFINITY }],
    [['--state', '/tmp/x.state'], { statePath: '/tmp/x.state' }],
    [['--hypervisor=sim', '--attach=/tmp/run/s'], { statePath: '/tmp/run/consoled.state' }],
    [['--tty=always', '--attach', '/tmp/s'], { tty: 'always', attachPath: '/tmp/s' }],
  ])('%j', (argv, expected) => {
    expect(parsed(...argv)).toMatchObject(expected)
  })

  it.each([
    [['--log=guests'], '--log: "guests" is none of none, guest, hv, all'],
    [['--overflow-data'], '--overflow-data needs a value'],
    [['--metrics=9100'], '--metrics: "9100" is not unix:/PATH, HOST:PORT or :PORT'],
    [['--frobnicate'], 'unknown option --frobnicate'],
    [['domain'], 'unexpected argument "domain"'],
    [['--log-max-size', '1x'], '--log-max-size: "1x" is no number of bytes'],
    [['--log-max-size', '999999999999G'], 'is no number of bytes such as 500000, 64k or 10M'],
    [['--hypervisor=none'], 'without a hypervisor there are no consoles to serve'],
  ])('%j is refused in a sentence', (argv, sentence) => {
    expect(() => parsed(...argv)).toThrow(UsageError)
    expect(() => parsed(...argv)).toThrow(sentence)
  })

  it('are found in the environment, too', () => {
    const env = { CONSOLED_SOCKET: '/tmp/other.sock', XCL_SIMULATOR: '/tmp/machine.sock' }
    const from = (...argv: string[]) =>
      optionsFrom(parseCommandLine<OptionName>(OPTIONS, argv, env))
    expect(from().attachPath).toBe('/tmp/other.sock')
    expect(from('--attach=/tmp/flag.sock').attachPath).toBe('/tmp/flag.sock')
    expect(from('--hypervisor=sim')).toMatchObject({
      hypervisor: 'sim',
      simulator: '/tmp/machine.sock',
    })
  })

  it('say where each value came from', () => {
    const text = configText(
      OPTIONS,
      parseCommandLine<OptionName>(OPTIONS, ['--log=guest'], {}),
      new Map(),
    )
    expect(text).toContain('log = guest  # flag\n')
    expect(text).toContain('tty = asked  # default\n')
    expect(text).not.toContain('help')
  })
})
