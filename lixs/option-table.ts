/**
 * Every flag of lixs, once, as data. Parser, help and `--print-config` come from this table.
 *
 * @see xen tools/xenstored/core.c, options: those not marked as ours keep upstream's name and meaning
 */

import { SIMULATOR_SOCKET } from '../native/open-hypervisor.ts'
import type { OptionSpec } from '../native/os/command-line.ts'
import { LOG_LEVELS } from '../native/os/log.ts'
import { HARD_QUOTAS, SOFT_QUOTAS } from './quota-names.ts'
import { TRACE_NAMES, TRACE_SWITCHES } from './trace.ts'

const FLAG = { kind: 'flag' } as const
const file = { kind: 'text', metavar: 'FILE' } as const
const count = { kind: 'number', metavar: 'N', max: 0x7fffffff } as const
const domid = { kind: 'number', metavar: 'DOMID', max: 0x7fef } as const

/** Quotas that `-Q` takes, by the names of all versions of upstream. */
const QUOTA_NAMES = HARD_QUOTAS.flatMap(({ name, otherName }) =>
  otherName === undefined ? [name] : [name, otherName],
)
const SOFT_QUOTA_NAMES = SOFT_QUOTAS.map(({ name }) => name)

/** Need not be there, unless it was asked for. */
export const CONFIG_FILE = '/etc/xen/lixs.conf'

/** What is traced unless told. */
export const DEFAULT_TRACE = TRACE_NAMES.filter((name) => TRACE_SWITCHES[name].isDefault)
  .map((name) => `+${name}`)
  .join(' ')

export const OPTIONS = [
  {
    name: 'config',
    value: file,
    default: CONFIG_FILE,
    isCommandLineOnly: true,
    help: 'read settings from this file, NAME = VALUE a line; flags and environment are stronger',
  },
  { name: 'no-fork', short: 'N', value: FLAG, help: 'stay in the foreground' },
  {
    name: 'pid-file',
    short: 'F',
    value: file,
    help: 'lock this file and write the process id to it',
  },
  {
    name: 'socket-path',
    value: { kind: 'text', metavar: 'PATH' },
    madeFromEnv: ['XENSTORED_PATH', 'XENSTORED_RUNDIR'],
    help: 'listen here; else $XENSTORED_PATH, $XENSTORED_RUNDIR/socket, /run/xenstored/socket',
  },
  {
    name: 'hypervisor',
    value: { kind: 'choice', choices: ['xen', 'sim', 'none'] },
    default: 'xen',
    help: 'where the domains are; none: sockets only, no domain can be introduced',
  },
  {
    name: 'simulator',
    value: { kind: 'text', metavar: 'PATH' },
    default: SIMULATOR_SOCKET,
    env: 'XCL_SIMULATOR',
    help: 'socket of the simulated machine, with --hypervisor sim',
  },
  {
    name: 'log-file',
    value: file,
    help: 'log to this file; else to stderr, in the background to /var/log/xen/lixs.log',
  },
  {
    name: 'log-level',
    value: { kind: 'choice', choices: LOG_LEVELS, metavar: 'LEVEL' },
    default: 'info',
    help: 'the least that is logged',
  },
  {
    name: 'trace-file',
    short: 'T',
    value: file,
    madeFromEnv: ['XENSTORED_TRACE'],
    help: 'write what is asked, answered and told to this file, a line each; with $XENSTORED_TRACE /var/log/xen/xenstored-trace.log',
  },
  {
    name: 'trace-control',
    value: {
      kind: 'choice',
      choices: TRACE_NAMES.flatMap((name) => [`+${name}`, `-${name}`]),
      metavar: '±SWITCH',
    },
    isRepeatable: true,
    help: `what is traced; before the first ${DEFAULT_TRACE}`,
  },
  {
    name: 'metrics',
    value: { kind: 'text', metavar: 'ADDRESS' },
    help: 'answer Prometheus here: unix:/PATH, HOST:PORT or :PORT (this host only); default off',
  },
  {
    name: 'entry-nb',
    short: 'E',
    value: count,
    help: 'nodes a domain may own (same as -Q nodes=N)',
  },
  { name: 'entry-size', short: 'S', value: count, help: 'bytes of a node (-Q node-size=N)' },
  { name: 'watch-nb', short: 'W', value: count, help: 'watches of a domain (-Q watches=N)' },
  {
    name: 'transaction',
    short: 't',
    value: count,
    help: 'open transactions of a domain (-Q transactions=N)',
  },
  {
    name: 'perm-nb',
    short: 'A',
    value: count,
    help: 'permission entries of a node (-Q node-permissions=N)',
  },
  {
    name: 'path-max',
    short: 'M',
    value: { kind: 'number', metavar: 'N', max: 2048 },
    help: 'length of a path (-Q path-max=N)',
  },
  {
    name: 'quota',
    short: 'Q',
    value: { kind: 'setting', metavar: 'WHAT=N', names: QUOTA_NAMES },
    isRepeatable: true,
    help: `a limit of unprivileged domains, 0 for none: ${QUOTA_NAMES.join(', ')}`,
  },
  {
    name: 'quota-soft',
    short: 'q',
    value: { kind: 'setting', metavar: 'WHAT=N', names: SOFT_QUOTA_NAMES },
    help: 'a limit that is only warned of: memory',
  },
  {
    name: 'timeout',
    short: 'w',
    value: { kind: 'setting', metavar: 'WHAT=SECONDS', names: ['watch-event'] },
    default: 'watch-event=20',
    help: 'how long an event waits for an unprivileged domain to take it, 0 for ever',
  },
  {
    name: 'keep-orphans',
    short: 'K',
    value: FLAG,
    help: 'give nodes of a dead domain to dom0 instead of deleting them',
  },
  {
    name: 'priv-domid',
    short: 'p',
    value: domid,
    help: 'a further domain with the rights of dom0',
  },
  { name: 'no-domain-init', short: 'D', value: FLAG, help: "do not serve dom0's own ring" },
  {
    name: 'output-pid',
    short: 'P',
    value: FLAG,
    help: 'print the process id when the daemon is ready',
  },
  {
    name: 'master-domid',
    short: 'm',
    value: domid,
    default: '0',
    help: 'domain this daemon runs in; only dom0 is supported',
  },
  {
    name: 'live-update',
    short: 'U',
    value: FLAG,
    isCommandLineOnly: true,
    help: 'go on with the state that the daemon before has left in the folder of the socket',
  },
  {
    name: 'print-config',
    value: FLAG,
    isAction: true,
    help: 'print the settings in force and their origin, and end',
  },
  { name: 'version', value: FLAG, isAction: true, help: 'print the version, and end' },
  { name: 'help', short: 'H', value: FLAG, isAction: true, help: 'print this, and end' },
  { name: 'event', short: 'e', value: count, isIgnored: true, help: "port of dom0's own ring" },
  { name: 'no-recovery', short: 'R', value: FLAG, isIgnored: true, help: 'of an older database' },
  {
    name: 'internal-db',
    short: 'I',
    // Upstream's own value is optional: `--internal-db`, `--internal-db=on`.
    value: FLAG,
    isIgnored: true,
    help: 'of an older database',
  },
  { name: 'verbose', short: 'V', value: FLAG, isIgnored: true, help: 'see --log-level' },
  { name: 'daemon', value: FLAG, isIgnored: true, help: 'the default; see --no-fork' },
] as const satisfies readonly OptionSpec[]

export type OptionName = (typeof OPTIONS)[number]['name']
