import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { OPTIONS } from '../../lixs/option-table.ts'
import { effectiveValues, type Options, optionsFrom } from '../../lixs/options.ts'
import { namedQuotas, quotasWith } from '../../lixs/quota-settings.ts'
import { configText, helpText, parseCommandLine, UsageError } from '../../native/os/command-line.ts'

function options(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Options {
  return optionsFrom(parseCommandLine(OPTIONS, argv, env), env)
}

describe('the command line', () => {
  test('without anything: Xen, in the background, at the usual socket', () => {
    expect(options([])).toMatchObject({
      hypervisor: 'xen',
      isForeground: false,
      socketPath: '/run/xenstored/socket',
      pidFile: undefined,
      logFile: undefined,
      logLevel: 'info',
      eventTimeoutMs: 20_000,
      isDom0Served: true,
      keepOrphans: false,
    })
  })

  test('the simulated machine is where the environment says, or a flag', () => {
    const env = { XCL_SIMULATOR: '/tmp/env.sock' }
    expect(options(['--hypervisor', 'sim']).simulator).toBe('/run/xcl/simulator.sock')
    expect(options([], env).simulator).toBe('/tmp/env.sock')
    expect(options(['--simulator', '/tmp/flag.sock'], env).simulator).toBe('/tmp/flag.sock')
  })

  test('as start scripts of Debian and upstream write it', () => {
    const { pidFile, quotas, eventTimeoutMs, privilegedDomid, isDom0Served } = options([
      ...['--pid-file', '/run/xen/xenstored.pid', '-E5', '-W', '6', '-Q', 'memory=0'],
      ...['-Q', 'permissions=7', '-w', 'watch-event=3', '--priv-domid=9', '-D', '-R', '-I', '-V'],
    ])
    expect(pidFile).toBe('/run/xen/xenstored.pid')
    expect(Object.fromEntries(quotas)).toEqual({
      nodes: 5,
      watches: 6,
      memory: 0,
      'node-permissions': 7,
    })
    expect(quotasWith(quotas, 1)).toMatchObject({
      nodes: 5,
      watches: 6,
      memoryHard: 0,
      memorySoft: 1,
      permissions: 7,
      transactions: 10,
    })
    expect({ eventTimeoutMs, privilegedDomid, isDom0Served }).toEqual({
      eventTimeoutMs: 3000,
      privilegedDomid: 9,
      isDom0Served: false,
    })
  })

  test('paths are absolute, for the daemon leaves its working directory', () => {
    const argv = ['-F', 'a', '-T', 'b', '--socket-path', 'c', '--log-file', 'd']
    const { pidFile, traceFile, socketPath, logFile, metrics } = options([
      ...argv,
      ...['--metrics', 'unix:e'],
    ])
    const paths = [
      pidFile,
      traceFile,
      socketPath,
      logFile,
      metrics?.kind === 'unix' && metrics.path,
    ]
    expect(paths).toEqual(['a', 'b', 'c', 'd', 'e'].map((name) => resolve(name)))
  })

  test('a trace is not the log: -T names its file, --trace-control what is in it, in order', () => {
    const { traceFile, traceControl, logFile } = options([
      ...['-T', '/t', '--trace-control=+acc', '--trace-control', '-io', '--trace-control', '+io'],
    ])
    expect({ traceFile, traceControl, logFile }).toEqual({
      traceFile: '/t',
      traceControl: ['+acc', '-io', '+io'],
      logFile: undefined,
    })
  })

  test('every quota has its name for -Q, the older one of permissions, too', () => {
    const names = ['nodes', 'watches', 'transactions', 'outstanding', 'transaction-nodes', 'memory']
    const others = ['node-size', 'permissions', 'path-max']
    const { quotas } = options(
      [...names, ...others].flatMap((name, i) => ['-Q', `${name}=${i + 1}`]),
    )
    expect([...quotas.values()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('what a flag of its own and -Q say of one quota, -Q decides', () => {
    expect(options(['-Q', 'nodes=7', '-E', '5']).quotas.get('nodes')).toBe(7)
  })

  test.each([
    ['-E', 'entry-nb'],
    ['-S', 'entry-size'],
    ['-W', 'watch-nb'],
    ['-t', 'transaction'],
    ['-A', 'perm-nb'],
    ['-M', 'path-max'],
  ])('%s is short for --%s', (short, long) => {
    expect(options([short, '7']).quotas).toEqual(options([`--${long}`, '7']).quotas)
    expect(options([short, '7']).quotas.size).toBe(1)
  })

  test.each([
    ['-R', '--no-recovery'],
    ['-I', '--internal-db'],
    ['-V', '--verbose'],
    ['-e5', '--event=5'],
    ['--daemon', '--internal-db=off'],
  ])('%s and %s of older versions are accepted and change nothing', (short, long) => {
    expect(options([short, long])).toEqual(options([]))
  })

  test('-w sets how long events wait, 0 is for ever', () => {
    expect(options(['-w', 'watch-event=0']).eventTimeoutMs).toBe(0)
    expect(options(['--timeout', 'watch-event=7']).eventTimeoutMs).toBe(7000)
  })

  test('-K keeps orphans, -D serves no ring of dom0, -P prints the process id', () => {
    expect(options(['-K', '-D', '-P'])).toMatchObject({
      keepOrphans: true,
      isDom0Served: false,
      isPidPrinted: true,
    })
  })

  test('--master-domid 0 is where lixs runs anyway', () => {
    expect(options(['--master-domid', '0'])).toEqual(options([]))
  })

  test.each([
    [['--nonsense'], 'unknown option --nonsense'],
    [['-Z'], 'unknown option -Z'],
    [['extra'], 'unexpected argument "extra"'],
    [['--quota', 'nonsense=1'], '--quota: "nonsense=1" is not WHAT=N'],
    [['--quota', 'nodes=many'], '--quota: "nodes=many" is not WHAT=N'],
    [['-q', 'nodes=5'], '-q: "nodes=5" is not WHAT=N'],
    [['-w', 'nothing=5'], '-w: "nothing=5" is not WHAT=SECONDS'],
    [['--trace-control', '+nonsense'], '--trace-control: "+nonsense" is none of +obj, -obj'],
    [['--trace-control', 'io'], '--trace-control: "io" is none of'],
    [['--metrics', 'nonsense'], '--metrics: "nonsense" is not unix:/PATH, HOST:PORT or :PORT'],
    [['-E', 'many'], '-E: "many" is not a number'],
    [['-E', '-5'], '-E: "-5" is not a number'],
    [['-M', '2049'], '-M: "2049" is not a number from 0 to 2048'],
    [['--hypervisor', 'kvm'], '--hypervisor: "kvm" is none of xen, sim, none'],
    [['--pid-file'], '--pid-file needs a value'],
    [['--no-fork=yes'], '--no-fork takes no value'],
    [['--master-domid', '3'], '--master-domid: lixs runs in dom0 only'],
  ])('%j is wrong usage', (argv, text) => {
    expect(() => options(argv)).toThrow(UsageError)
    expect(() => options(argv)).toThrow(text)
  })
})

describe('--print-config', () => {
  const text = (argv: readonly string[], env: NodeJS.ProcessEnv = {}): string => {
    const settings = parseCommandLine(OPTIONS, argv, env)
    const found = optionsFrom(settings, env)
    const quotas = quotasWith(found.quotas, found.softMemory)
    return configText(
      OPTIONS,
      settings,
      effectiveValues(found, namedQuotas(quotas), quotas.memorySoft),
    )
  }

  test('says what is in force and where it comes from', () => {
    const env = { XENSTORED_RUNDIR: '/x', XENSTORED_TRACE: 'on' }
    const lines = text(['-E', '5', '-N'], env).split('\n')
    expect(lines).toContain('entry-nb = 5  # flag')
    expect(lines).toContain('no-fork = true  # flag')
    expect(lines).toContain('watch-nb = 128  # default')
    expect(lines).toContain('log-file = stderr  # default')
    expect(lines).toContain('socket-path = /x/socket  # environment')
    expect(lines).toContain('trace-file = /var/log/xen/xenstored-trace.log  # environment')
  })

  test('a limit that -Q set names it; without any, the defaults are told', () => {
    const lines = text(['-Q', 'nodes=7', '-W', '9']).split('\n')
    expect(lines).toContain('entry-nb = 7  # see quota')
    expect(lines).toContain('watch-nb = 9  # flag')
    expect(text([])).toMatch(/^quota = nodes=1000 watches=128 .* path-max=2048 {2}# default$/m)
    expect(text([])).toContain('quota-soft = memory=2097152  # default')
    expect(text([])).toContain('trace-control = +obj +io  # default')
  })

  test('every option that is no action and not ignored has its line', () => {
    const shown = text([])
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' = ')[0])
    const wanted = OPTIONS.filter((spec) => !('isAction' in spec) && !('isIgnored' in spec))
    expect(shown).toEqual(wanted.map(({ name }) => name))
  })

  test('a flag is stronger than the environment, a path than a folder', () => {
    const env = { XENSTORED_RUNDIR: '/x', XENSTORED_PATH: '/y/s' }
    expect(text([], env)).toContain('socket-path = /y/s  # environment')
    expect(text(['--socket-path', '/z'], env)).toContain('socket-path = /z  # flag')
  })
})

test('--help names options, their short forms, values and defaults', () => {
  const help = helpText('lixs', 'Purpose.', OPTIONS)
  expect(help).toMatch(/^ {2}-F, --pid-file FILE +lock this file/m)
  expect(help).toMatch(/^ {6}--hypervisor xen\|sim\|none .*\(default xen\)$/m)
  expect(help).toMatch(/^ {2}-R, --no-recovery .*\(ignored\)$/m)
})
