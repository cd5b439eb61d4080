import { readFileSync, statSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { type DomainConfig, readDomainConfig } from '../config/domain-config.ts'
import type { ConfigText } from '../config/xl-cfg.ts'
import type { Attachment } from '../daemon/session.ts'
import { createDomain } from '../domain/create.ts'
import { ConfigError, UsageError } from '../output/errors.ts'
import type { CommandSpec, Invocation } from './command.ts'
import { JSON_OPTION } from './command.ts'
import { stayAttached } from './console-stay.ts'
import {
  type AttachedGuest,
  attachNewConsole,
  type ConsoleOptions,
  escapeFrom,
} from './console-target.ts'
import { forEach } from './domain-argument.ts'

/** A guest's configuration is some lines; more is a mistake in the file's name. */
const CONFIG_MAX_BYTES = 1024 * 1024

export const create: CommandSpec = {
  name: 'create',
  summary: 'create and start guests',
  parameters: [
    {
      syntax: '[file...]',
      help: 'xl.cfg files, "-" for standard input; KEY=VALUE is added to each as a line',
    },
  ],
  options: [
    { flags: '-f, --defconfig <file>', help: 'the same as naming the file' },
    { flags: '-p, --paused', help: 'leave the guest paused' },
    { flags: '-c, --console', help: 'attach to its console before it starts' },
    { flags: '-e, --escape <char>', help: 'character that leaves the console (default ^])' },
    { flags: '-n, --dryrun', help: 'create nothing; print the configuration in force as JSON' },
    { flags: '-q, --quiet', help: 'print nothing when it went well' },
    { flags: '-v, --verbose', help: 'say which options have no effect' },
    { flags: '--timing', help: 'print how long each step took, as JSON' },
    JSON_OPTION,
  ],
  examples: [
    { line: 'xcl create demo.cfg', does: 'create and start a guest' },
    { line: 'xcl create demo.cfg memory=64 \'name="demo2"\'', does: 'with other settings' },
    { line: 'xcl create -c demo.cfg', does: 'and see its console from the first byte' },
    { line: 'xcl create a.cfg b.cfg c.cfg', does: 'several guests' },
  ],
  run: async (invocation) => {
    const { session, options } = invocation
    const configs = await readConfigs(invocation)
    if (options.has('dryrun')) {
      for (const config of configs) session.stdout(`${JSON.stringify(config, undefined, 2)}\n`)
      return 0
    }
    if (options.has('console') && configs.length !== 1) {
      throw new UsageError('--console takes one guest')
    }
    let attached: Attached | undefined
    await forEach(
      session,
      configs,
      ({ name }) => name,
      async (config) => {
        attached = await createOne(invocation, config)
      },
    )
    return await stay(invocation, attached)
  },
}

/** The console that was attached before the guest was started. */
interface Attached {
  readonly guest: AttachedGuest
  readonly how: ConsoleOptions
  readonly attachment: Attachment
}

/** @returns the exit code, when nobody is attached any more */
async function stay(invocation: Invocation, attached: Attached | undefined): Promise<number> {
  if (attached === undefined) return 0
  const { toolstack, session } = invocation
  const { guest, how, attachment } = attached
  return await stayAttached(toolstack, session, guest, how, attachment)
}

/** @returns the console, if that was asked for */
async function createOne(
  invocation: Invocation,
  config: DomainConfig,
): Promise<Attached | undefined> {
  const { toolstack, session, options } = invocation
  const how: ConsoleOptions = {
    escapeCode: escapeFrom(options.value('escape')),
    writes: 'shared',
  }
  let attached: Attached | undefined
  const created = await createDomain(toolstack, config, {
    signal: session.signal,
    requestedAtMs: session.receivedAtMs,
    isLeftPaused: options.has('paused'),
    ...(options.has('console') && {
      beforeUnpause: async (domid) => {
        const uuid = toolstack.hypervisor.domains.info(domid)?.uuid ?? ''
        const guest = { domid, uuid, name: config.name, isManaged: true }
        const attachment = await attachNewConsole(toolstack, session, guest, how)
        attached = { guest, how, attachment }
      },
    }),
  })
  const { name, domid, uuid, totalMs, stepMs } = created
  if (options.has('json')) {
    session.stdout(`${JSON.stringify({ domid, name, uuid, totalMs, stepMs })}\n`)
  } else if (options.has('timing')) {
    session.stdout(`${JSON.stringify({ name, domid, totalMs, steps: stepMs })}\n`)
  } else if (!options.has('quiet') && !options.has('console')) {
    session.stdout(`created ${name} (domid ${domid})\n`)
  }
  return attached
}

async function readConfigs(invocation: Invocation): Promise<DomainConfig[]> {
  const { session, options, args } = invocation
  const isAssignment = (arg: string): boolean => /^[a-z][._0-9a-z]*\s*\+?=/.test(arg)
  const named = options.value('defconfig')
  const files = [
    ...(named === undefined ? [] : [named]),
    ...args.filter((arg) => !isAssignment(arg)),
  ]
  const typed: ConfigText = {
    file: 'command line',
    text: args.filter(isAssignment).join('\n'),
  }
  if (files.length === 0 && typed.text === '') {
    throw new UsageError('create needs a configuration file', 'xcl create FILE [KEY=VALUE]…')
  }
  const { cwd } = session.request
  const texts = await Promise.all(files.map((file) => readText(invocation, file)))
  const sources = texts.length === 0 ? [[typed]] : texts.map((text) => [text, typed])
  return sources.map((source) => {
    const { config, ignored } = readDomainConfig(source, cwd)
    if (options.has('verbose') && ignored.length > 0) {
      session.stderr(`xcl: ${config.name}: without effect: ${ignored.join(', ')}\n`)
    }
    return config
  })
}

async function readText(invocation: Invocation, file: string): Promise<ConfigText> {
  const { session } = invocation
  if (file === '-' || file === '/dev/stdin') {
    return { file: 'standard input', text: await session.readStdin() }
  }
  const path = resolve(session.request.cwd, file)
  // As for xl: everything stands on the command line.
  if (path === '/dev/null') return { file, text: '' }
  try {
    const about = statSync(path)
    if (!about.isFile()) {
      throw new ConfigError(`${file} is not a file; pipe it in, with - in its place`, undefined)
    }
    if (about.size > CONFIG_MAX_BYTES) {
      throw new ConfigError(`${basename(file)} is too long for a configuration`, undefined)
    }
    // At once: four trips to a worker thread for a page of text cost more than the page.
    return { file, text: readFileSync(path, 'utf8') }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    throw new ConfigError(`cannot read ${file}: ${String(error.code)}`, undefined)
  }
}
