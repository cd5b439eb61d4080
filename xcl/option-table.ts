/** Every flag of xcld, once, as data; `xcl`, which starts it, hands its environment down. */
import { ATTACH_SOCKET } from '../consoled/attach/client.ts'
import { SIMULATOR_SOCKET } from '../native/open-hypervisor.ts'
import type { OptionSpec } from '../native/os/command-line.ts'
import { LOG_LEVELS } from '../native/os/log.ts'

const FLAG = { kind: 'flag' } as const
const file = { kind: 'text', metavar: 'FILE' } as const
const path = { kind: 'text', metavar: 'PATH' } as const

export const OPTIONS = [
  {
    name: 'socket',
    value: path,
    default: '/run/xen/xcld.sock',
    env: 'XCLD_SOCKET',
    help: 'where xcl finds this daemon (after that of a running npm start, unless told)',
  },
  {
    name: 'hypervisor',
    value: { kind: 'choice', choices: ['xen', 'sim'] },
    default: 'xen',
    env: 'XCLD_HYPERVISOR',
    help: 'where the domains are',
  },
  {
    name: 'simulator',
    value: path,
    default: SIMULATOR_SOCKET,
    env: 'XCL_SIMULATOR',
    help: 'socket of the simulated machine, with --hypervisor sim',
  },
  {
    name: 'store-socket',
    value: path,
    env: 'XENSTORED_PATH',
    help: "XenStore's socket; else $XENSTORED_RUNDIR/socket, else /run/xenstored/socket",
  },
  {
    name: 'consoled-socket',
    value: path,
    default: ATTACH_SOCKET,
    env: 'CONSOLED_SOCKET',
    help: 'where consoled takes viewers',
  },
  {
    name: 'console-log-dir',
    value: { kind: 'text', metavar: 'DIR' },
    default: '/var/log/xen/console',
    env: 'XCLD_CONSOLE_LOG_DIR',
    help: 'where guests are logged, when no consoled says where: what xenconsoled --log-dir has',
  },
  {
    name: 'state-dir',
    value: { kind: 'text', metavar: 'DIR' },
    default: '/var/lib/xcl',
    env: 'XCLD_STATE_DIR',
    help: 'what outlives this daemon: its journal, the configurations of its domains',
  },
  {
    name: 'pid-file',
    short: 'F',
    value: file,
    help: "lock this file and write the process id to it; else the socket's path with .pid",
  },
  {
    name: 'log-file',
    value: file,
    env: 'XCLD_LOG_FILE',
    help: 'log to this file; else to stderr, in the background to /var/log/xcl/xcld.log',
  },
  {
    name: 'log-level',
    value: { kind: 'choice', choices: LOG_LEVELS, metavar: 'LEVEL' },
    default: 'info',
    env: 'XCLD_LOG_LEVEL',
    help: 'the least that is logged',
  },
  { name: 'no-fork', short: 'N', value: FLAG, help: 'stay in the foreground' },
  {
    name: 'print-config',
    value: FLAG,
    isAction: true,
    help: 'print the settings in force and their origin, and end',
  },
  { name: 'version', short: 'V', value: FLAG, isAction: true, help: 'print the version, and end' },
  { name: 'help', short: 'h', value: FLAG, isAction: true, help: 'print this, and end' },
] as const satisfies readonly OptionSpec[]

export type OptionName = (typeof OPTIONS)[number]['name']
