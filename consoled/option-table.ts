/**
 * Every flag of consoled, once, as data.
 *
 * @see xen tools/console/daemon/main.c: those not marked as ours keep upstream's name and meaning
 * @see xen tools/hotplug/Linux/systemd/xenconsoled.service.in: the environment
 */

import { SIMULATOR_SOCKET } from '../native/open-hypervisor.ts'
import type { OptionSpec } from '../native/os/command-line.ts'
import { LOG_LEVELS } from '../native/os/log.ts'
import { ATTACH_SOCKET } from './attach/client.ts'

const FLAG = { kind: 'flag' } as const
const file = { kind: 'text', metavar: 'FILE' } as const
const whose = { kind: 'choice', choices: ['none', 'guest', 'hv', 'all'] } as const

export const OPTIONS = [
  { name: 'interactive', short: 'i', value: FLAG, help: 'stay in the foreground' },
  { name: 'no-fork', short: 'N', value: FLAG, help: 'the same (ours)' },
  {
    name: 'log',
    value: whose,
    default: 'none',
    env: 'XENCONSOLED_TRACE',
    isRepeatable: true,
    help: 'whose output is logged',
  },
  {
    name: 'log-to',
    value: { kind: 'choice', choices: ['files', 'journal', 'both'] },
    default: 'files',
    help: 'where: to files, to the journal of systemd with XEN_DOMID and XEN_NAME (ours)',
  },
  {
    name: 'log-dir',
    value: { kind: 'text', metavar: 'DIR' },
    default: '/var/log/xen/console',
    env: 'XENCONSOLED_LOG_DIR',
    help: 'folder of guest-NAME.log and hypervisor.log',
  },
  {
    name: 'timestamp',
    short: 't',
    value: whose,
    default: 'none',
    isRepeatable: true,
    help: 'whose lines in files begin with the time',
  },
  { name: 'replace-escape', value: FLAG, help: 'write escape characters to logs as full stops' },
  {
    name: 'overflow-data',
    short: 'o',
    value: { kind: 'choice', choices: ['discard', 'keep'] },
    default: 'discard',
    help: 'when nobody reads a terminal: drop output, or hold up the guest',
  },
  {
    name: 'pid-file',
    value: file,
    help: 'lock this file and write the process id to it; in the background /run/xen/xenconsoled.pid',
  },
  {
    name: 'journal',
    value: { kind: 'text', metavar: 'PATH' },
    default: '/run/systemd/journal/socket',
    help: 'where the journal receives, with --log-to journal or both (ours)',
  },
  { name: 'verbose', short: 'v', value: FLAG, help: 'the same as --log-level debug' },
  {
    name: 'attach',
    value: { kind: 'text', metavar: 'PATH' },
    default: ATTACH_SOCKET,
    env: 'CONSOLED_SOCKET',
    help: 'where viewers attach (ours)',
  },
  {
    name: 'tty',
    value: { kind: 'choice', choices: ['asked', 'always'] },
    default: 'asked',
    help: 'a pseudo terminal where ~/console/tty exists, or for every guest (ours)',
  },
  {
    name: 'open-logs',
    value: { kind: 'number', metavar: 'N', max: 1_000_000 },
    default: '0',
    help: 'logs kept open at a time, 0: as many as descriptors allow (ours)',
  },
  {
    name: 'metrics',
    value: { kind: 'text', metavar: 'ADDRESS' },
    help: 'answer Prometheus here: unix:/PATH, HOST:PORT or :PORT (this host only); default off (ours)',
  },
  {
    name: 'log-max-size',
    value: { kind: 'text', metavar: 'BYTES' },
    default: '0',
    help: 'a log as long as this becomes .1, and a new one is begun; 64k, 10M, 1G; 0: never (ours)',
  },
  {
    name: 'log-keep',
    value: { kind: 'number', metavar: 'N', max: 1000 },
    default: '5',
    help: 'of those so many are kept, .1 to .N (ours)',
  },
  {
    name: 'state',
    value: file,
    help: 'where logs end, for the next start; /run/xen/consoled.state, in a simulation beside --attach (ours)',
  },
  {
    name: 'hypervisor',
    value: { kind: 'choice', choices: ['xen', 'sim', 'none'] },
    default: 'xen',
    help: 'where the domains are (ours)',
  },
  {
    name: 'simulator',
    value: { kind: 'text', metavar: 'PATH' },
    default: SIMULATOR_SOCKET,
    env: 'XCL_SIMULATOR',
    help: 'socket of the simulated machine, with --hypervisor sim (ours)',
  },
  {
    name: 'log-file',
    value: file,
    help: "consoled's own log; else stderr, in the background /var/log/xen/consoled.log (ours)",
  },
  {
    name: 'log-level',
    value: { kind: 'choice', choices: LOG_LEVELS, metavar: 'LEVEL' },
    default: 'info',
    help: 'the least that goes there (ours)',
  },
  {
    name: 'print-config',
    value: FLAG,
    isAction: true,
    help: 'print the settings in force and their origin, and end (ours)',
  },
  { name: 'version', short: 'V', value: FLAG, isAction: true, help: 'print the version, and end' },
  { name: 'help', short: 'h', value: FLAG, isAction: true, help: 'print this, and end' },
] as const satisfies readonly OptionSpec[]

export type OptionName = (typeof OPTIONS)[number]['name']
