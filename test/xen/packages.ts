import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'

/** Programs the rig runs on this machine, and the Debian package that has each. */
const HOST_PROGRAMS: readonly (readonly [file: string, packageName: string])[] = [
  ['/usr/bin/qemu-system-x86_64', 'qemu-system-x86'],
  ['/usr/bin/cpio', 'cpio'],
  ['/sbin/modprobe', 'kmod'],
  ['/bin/busybox', 'busybox-static'],
  ['/usr/include/xen/xen.h', 'libxen-dev'],
  ['/usr/bin/ld', 'binutils'],
  ['/usr/bin/gcc', 'gcc'],
  ['/usr/bin/make', 'make'],
  ['/sbin/ip', 'iproute2'],
  ['/usr/bin/script', 'bsdutils'],
]

/**
 * What runs inside: fetched and unpacked, never installed here. xen-utils and the kernel are named
 * by version in Debian, so their names are asked for.
 */
const GUEST_PACKAGES = ['xen-utils-common', 'xenstore-utils'] as const

/** Installs what is missing on this machine; needs root only if something is. */
export function ensureHostPackages(): void {
  const missing = HOST_PROGRAMS.filter(([file]) => !existsSync(file)).map(([, name]) => name)
  if (missing.length === 0) return
  if (process.getuid?.() !== 0) {
    throw new Error(
      `the rig needs these Debian packages, as root: apt-get install ${missing.join(' ')}`,
    )
  }
  const install = () =>
    execFileSync('apt-get', ['install', '--yes', '--no-install-recommends', ...missing], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
  try {
    install()
  } catch {
    execFileSync('apt-get', ['update', '-q'], { stdio: ['ignore', 'ignore', 'inherit'] })
    install()
  }
}

/**
 * Fetches the Debian packages dom0 is made of.
 *
 * @param folder where the .deb files are kept; complete ones are not fetched again
 * @returns the names of the .deb files, versions in them, sorted
 */
export function fetchGuestPackages(folder: string): string[] {
  mkdirSync(folder, { recursive: true })
  const have = debFiles(folder)
  // The set is fetched whole, so one file of a kind says that the others are there.
  const complete = ['linux-image-6', 'xen-hypervisor-', 'xen-utils-4', ...GUEST_PACKAGES]
  if (complete.every((start) => have.some((file) => file.startsWith(start)))) return have
  // Put in place when all are there: an interrupted fetch leaves no file that looks complete.
  const part = mkdtempSync(`${folder}-`)
  const names = () => [
    dependencyOf('linux-image-amd64', 'linux-image-6'),
    dependencyOf('xen-system-amd64', 'xen-hypervisor-4'),
    dependencyOf('xen-system-amd64', 'xen-utils-4'),
    ...GUEST_PACKAGES,
  ]
  const download = (stderr: 'ignore' | 'inherit') =>
    execFileSync('apt-get', ['download', '-q', ...names()], {
      cwd: part,
      stdio: ['ignore', 'ignore', stderr],
    })
  try {
    download('ignore')
  } catch {
    // Old lists name versions that are gone, and a fresh machine has no lists at all.
    execFileSync('apt-get', ['update', '-q'], { stdio: ['ignore', 'ignore', 'inherit'] })
    download('inherit')
  }
  rmSync(folder, { recursive: true })
  renameSync(part, folder)
  return debFiles(folder)
}

function debFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.deb'))
    .sort()
}

/** The package, among those `name` depends on, that starts with `prefix`. */
function dependencyOf(name: string, prefix: string): string {
  const text = execFileSync('apt-cache', ['depends', name], { encoding: 'utf8' })
  const found = new RegExp(`Depends: (${prefix}\\S+)`).exec(text)?.[1]
  if (found === undefined) throw new Error(`no ${prefix}… among the dependencies of ${name}`)
  return found
}
