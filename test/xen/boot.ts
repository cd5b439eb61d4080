import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  createReadStream,
  createWriteStream,
  existsSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type Image, type Payload, packPayload } from './image.ts'

/** One run of a script in a dom0. Paths are absolute. */
type Boot = {
  readonly image: Image
  /** Archives laid over the base, in order. */
  readonly layers: readonly string[]
  readonly payload: Payload
  /** Gets serial.log and what the script left in /out. */
  readonly outFolder: string
  readonly memoryMiB: number
  readonly dom0MiB: number
  readonly timeoutMs: number
  /** Called with each piece of dom0's console as it comes. */
  readonly onSerial?: (text: string) => void
}

/** How a boot ended: with the script's exit status, or without one, which is the rig's own failure. */
type BootResult =
  | { readonly kind: 'exited'; readonly status: number; readonly seconds: number }
  | {
      readonly kind: 'broken'
      readonly reason: string
      readonly seconds: number
      /** dom0 came up: what broke then is the suite's doing, more likely than the machine's. */
      readonly isUp: boolean
    }

const XEN_OPTIONS = [
  'console=com1',
  'com1=115200,8n1',
  'sched=credit2',
  // Emulated SMAP and SMEP make dom0 crash in the copy of a bounce frame.
  'smap=no',
  'smep=no',
  // Emulation is slow enough without work against leaks of a processor that isn't there.
  'spec-ctrl=no',
  'xpti=no',
  'pv-l1tf=no',
  'tsc=unstable',
  'cpufreq=none',
  'watchdog=no',
]

/**
 * Why these: npt gives PVH guests (SVM with nested paging, which TCG emulates); without rdrand dom0
 * waits seconds for entropy; with xsave, programs in dom0 die of SIGSEGV now and then.
 */
const CPU = 'qemu64,+npt,+rdrand,+ssse3,+sse4.1,+sse4.2,+popcnt,-xsave'

/**
 * Boots and runs; where dom0 never came up it is done once more before it counts as broken. What broke
 * afterwards (a script that hangs, a dom0 that crashed under it) is a result and is not tried again.
 */
export async function bootTwice(boot: Boot, log: (line: string) => void): Promise<BootResult> {
  const first = await bootOnce(boot)
  if (first.kind === 'exited' || first.isUp) return first
  log(`rig failure (${first.reason}), trying once more`)
  return bootOnce(boot)
}

export async function bootOnce(boot: Boot): Promise<BootResult> {
  const initrd = join(boot.outFolder, 'initrd.cpio')
  const serialLog = join(boot.outFolder, 'serial.log')
  const resultsLog = join(boot.outFolder, 'com2.log')
  const payload = join(boot.outFolder, 'payload.cpio')
  packPayload(boot.payload, payload)
  await concatenate([join(boot.image.folder, 'base.cpio'), ...boot.layers, payload], initrd)
  writeFileSync(serialLog, '')
  writeFileSync(resultsLog, '')

  const startedMs = Date.now()
  const qemu = spawn('qemu-system-x86_64', qemuArguments(boot, initrd, serialLog, resultsLog), {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let complaint = ''
  qemu.stderr.on('data', (text: Buffer) => {
    complaint += text.toString()
  })
  const follower = followFile(serialLog, boot.onSerial)
  const inTime = await waitForExit(qemu, boot.timeoutMs)
  follower.stop()
  const seconds = (Date.now() - startedMs) / 1000
  rmSync(initrd)
  rmSync(payload)

  const serial = readFileSync(serialLog, 'latin1')
  const unpacked = unpackResults(resultsLog, boot.outFolder)
  const status = /DOM0-EXIT-STATUS: (\d+)/.exec(serial)?.[1]
  if (status !== undefined && unpacked) return { kind: 'exited', status: Number(status), seconds }
  const reason = !inTime
    ? `no end within ${boot.timeoutMs / 1000} s`
    : status === undefined
      ? `no exit status on the console${complaint === '' ? '' : `; ${complaint.trim()}`}`
      : 'the results did not come over'
  return { kind: 'broken', reason, seconds, isUp: serial.includes('rig: dom0 up') }
}

function qemuArguments(
  boot: Boot,
  initrd: string,
  serialLog: string,
  resultsLog: string,
): string[] {
  const dom0 = [`dom0_mem=${boot.dom0MiB}M,max:${boot.dom0MiB}M`, 'dom0_max_vcpus=1']
  // QEMU splits modules at commas; doubled they stand for themselves.
  const escaped = (path: string) => path.replaceAll(',', ',,')
  const linux = `${escaped(join(boot.image.folder, 'vmlinuz'))} console=hvc0 quiet mitigations=off`
  return [
    ['-machine', 'pc', '-accel', 'tcg,thread=multi,tb-size=512', '-cpu', CPU],
    // One processor: steadier than two where the host has only two of its own.
    ['-smp', '1', '-m', String(boot.memoryMiB)],
    [
      '-display',
      'none',
      '-vga',
      'none',
      '-nodefaults',
      '-nic',
      'none',
      '-no-reboot',
      '-monitor',
      'none',
    ],
    ['-serial', `file:${serialLog}`, '-serial', `file:${resultsLog}`],
    // QEMU's multiboot loader takes Xen, so no boot loader and no disk is needed.
    ['-kernel', join(boot.image.folder, 'xen'), '-append', [...XEN_OPTIONS, ...dom0].join(' ')],
    ['-initrd', `${linux},${escaped(initrd)}`],
  ].flat()
}

/** @returns whether it ended by itself; past the limit it is killed */
function waitForExit(child: ChildProcess, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let inTime = true
    const stop = () => child.kill('SIGKILL')
    const timer = setTimeout(() => {
      inTime = false
      stop()
    }, timeoutMs)
    process.once('exit', stop)
    child.once('error', reject)
    child.once('close', () => {
      clearTimeout(timer)
      process.off('exit', stop)
      resolve(inTime)
    })
  })
}

/** Hands on what a growing file gets; QEMU's file is polled, for it outlives a lost reader. */
function followFile(file: string, onText: ((text: string) => void) | undefined): { stop(): void } {
  if (onText === undefined) return { stop: () => undefined }
  let position = 0
  const read = () => {
    const text = readFileSync(file, 'latin1')
    if (text.length > position) onText(text.slice(position))
    position = text.length
  }
  const timer = setInterval(read, 200)
  return {
    stop() {
      clearInterval(timer)
      read()
    },
  }
}

function unpackResults(file: string, folder: string): boolean {
  const [encoded, end] = readFileSync(file, 'latin1').split('END-OF-OUT')
  if (encoded === undefined || end === undefined) return false
  try {
    execFileSync('tar', ['-C', folder, '-xzf', '-'], { input: Buffer.from(encoded, 'base64') })
  } catch {
    return false
  }
  rmSync(file)
  return true
}

async function concatenate(parts: readonly string[], target: string): Promise<void> {
  if (existsSync(target)) rmSync(target)
  for (const part of parts) {
    await pipeline(createReadStream(part), createWriteStream(target, { flags: 'a' }))
  }
}
