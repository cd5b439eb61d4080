import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Debian's XenStore daemons, the libraries that they are linked to, their configuration, and the headers
 * that say how those libraries are called.
 */
const PACKAGES = [
  'xen-utils-4.17',
  'xen-utils-common',
  'libxenmisc4.17',
  'libxencall1',
  'libxendevicemodel1',
  'libxenevtchn1',
  'libxenforeignmemory1',
  'libxengnttab1',
  'libxentoolcore1',
  'libxentoollog1',
  'libxen-dev',
]

/** Where everything is kept that is fetched or built for stock daemons. */
export const STOCK_CACHE =
  process.env.XCL_STOCK_CACHE ?? fileURLToPath(new URL('../../.cache/stock', import.meta.url))

/** Folders of the unpacked packages. */
export interface StockPackages {
  readonly binaries: string
  readonly libraries: string
  readonly headers: string
  readonly configuration: string
}

/**
 * Fetches the packages and unpacks them, unless they are there; nothing is installed, and nobody needs to be
 * root for it where apt's lists are filled.
 * @throws Error with what apt-get says
 */
export function stockPackages(): StockPackages {
  const root = join(STOCK_CACHE, 'root')
  if (!existsSync(root)) fetchInto(root)
  return {
    binaries: join(root, 'usr/lib/xen-4.17/bin'),
    libraries: join(root, 'usr/lib/x86_64-linux-gnu'),
    headers: join(root, 'usr/include'),
    configuration: join(root, 'etc/xen'),
  }
}

/** Put in place when all is there: an interrupted fetch leaves nothing that looks complete. */
function fetchInto(root: string): void {
  mkdirSync(dirname(root), { recursive: true })
  const part = mkdtempSync(`${root}-`)
  try {
    const packages = join(part, 'packages')
    mkdirSync(packages)
    download(packages)
    const made = join(part, 'root')
    for (const file of readdirSync(packages)) {
      execFileSync('dpkg', ['-x', join(packages, file), made])
    }
    putInPlace(made, root)
  } finally {
    rmSync(part, { recursive: true, force: true })
  }
}

/** Two runs may have fetched at the same time: what the first one has put there stays. */
function putInPlace(made: string, root: string): void {
  try {
    renameSync(made, root)
  } catch (error) {
    if (!existsSync(root)) throw error
  }
}

function download(folder: string): void {
  const fetch = (stderr: 'ignore' | 'inherit') =>
    execFileSync('apt-get', ['download', '-q', ...PACKAGES], {
      cwd: folder,
      stdio: ['ignore', 'ignore', stderr],
    })
  try {
    fetch('ignore')
  } catch {
    // Old lists name versions that are gone, and a fresh machine has no lists at all.
    execFileSync('apt-get', ['update', '-q'], { stdio: ['ignore', 'ignore', 'inherit'] })
    fetch('inherit')
  }
}
