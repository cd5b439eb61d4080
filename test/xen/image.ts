import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fetchGuestPackages } from './packages.ts'

const here = import.meta.dirname
const projectRoot: string = resolve(here, '../..')
const cacheRoot = process.env.XCL_RIG_CACHE ?? join(projectRoot, '.cache/xen-rig')

/** Parts of dom0's root besides the base; each is an archive of its own. */
export type Layer = 'node' | 'linux' | 'ours'

/** Where a built image lies: `xen`, `vmlinuz` and the layers' archives, named `LAYER.cpio`. */
export type Image = { readonly folder: string }

/** What a boot adds to the image. */
export type Payload = {
  readonly script: string
  /** Files and folders laid beside the script, in /rig. */
  readonly files: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

/** Builds what no boot changes, or finds it built: the key is the versions of all that goes in. */
export function buildImage(log: (line: string) => void): Image {
  const debs = join(cacheRoot, 'debs')
  const packages = fetchGuestPackages(debs)
  const recipe = ['build-image.sh', 'linux-guest-init'].map((file) =>
    readFileSync(join(here, file)),
  )
  const key = createHash('sha256')
    .update(JSON.stringify([packages, process.version, process.execPath, libraryVersion()]))
    .update(Buffer.concat(recipe))
    .digest('hex')
    .slice(0, 16)
  const folder = join(cacheRoot, `image-${key}`)
  if (existsSync(folder)) return { folder }

  for (const entry of readdirSync(cacheRoot)) {
    if (entry.startsWith('image-')) rmSync(join(cacheRoot, entry), { recursive: true })
  }
  log('building the dom0 image')
  // Renamed when complete: an interrupted build leaves no image that looks good.
  const part = mkdtempSync(join(cacheRoot, 'part-'))
  execFileSync(join(here, 'build-image.sh'), [debs, part, process.execPath], { stdio: 'inherit' })
  renameSync(part, folder)
  return { folder }
}

/** Compiles what scenarios run; gives the folder with guest-pv.elf, guest-pvh.elf and free-kib. */
export function buildGuests(): string {
  const out = join(cacheRoot, 'guest')
  mkdirSync(out, { recursive: true })
  execFileSync('make', ['--silent', '-C', resolve(here, '../guest'), `OUT=${out}`], {
    stdio: 'inherit',
  })
  const source = join(here, 'free-kib.c')
  execFileSync('gcc', ['-O1', '-Wall', '-o', join(out, 'free-kib'), source, '-lxenctrl'], {
    stdio: 'inherit',
  })
  return out
}

/** The project's own programs as a layer, under /opt/xcl; null when they are not built. */
export function packOurs(image: Image): string | null {
  const dist = join(projectRoot, 'dist')
  if (!existsSync(join(dist, 'bin'))) return null
  const root = makeRoot()
  const home = join(root, 'opt/xcl')
  cpSync(dist, home, { recursive: true })
  // Libraries that only our binaries are linked with; the rest is in the base.
  const libraries = join(root, 'lib/x86_64-linux-gnu')
  mkdirSync(libraries, { recursive: true })
  const base = new Set(archiveNames(join(image.folder, 'base.cpio')))
  for (const file of binariesIn(home)) {
    for (const library of librariesOf(file)) {
      if (!base.has(basename(library))) copyFileSync(library, join(libraries, basename(library)))
    }
  }
  const archive = join(cacheRoot, 'ours.cpio')
  // Put in place whole: another run may be reading the one before.
  packFolder(root, `${root}.cpio`)
  renameSync(`${root}.cpio`, archive)
  rmSync(root, { recursive: true })
  return archive
}

/** The archive with the script and what it needs, written to `archive`. */
export function packPayload(payload: Payload, archive: string): void {
  const root = makeRoot()
  const rig = join(root, 'rig')
  mkdirSync(rig)
  copyFileSync(join(here, 'init'), join(root, 'init'))
  chmodSync(join(root, 'init'), 0o755)
  copyFileSync(payload.script, join(rig, 'script'))
  for (const file of [join(here, 'lib.sh'), ...payload.files]) {
    cpSync(file, join(rig, basename(file)), { recursive: true, dereference: true })
  }
  const lines = Object.entries(payload.environment).map(
    ([name, value]) => `export ${name}='${value}'\n`,
  )
  writeFileSync(join(rig, 'environment'), lines.join(''))
  packFolder(root, archive)
  rmSync(root, { recursive: true })
}

/** A new folder for what a run leaves; logs of earlier runs under the same name go. */
export function makeOutFolder(name: string): string {
  const folder = join(cacheRoot, 'out', name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  return folder
}

/** A folder that becomes a part of dom0's root, and so must let everybody through. */
function makeRoot(): string {
  const root = mkdtempSync(join(cacheRoot, 'part-'))
  chmodSync(root, 0o755)
  return root
}

function packFolder(folder: string, archive: string): void {
  execFileSync(
    'sh',
    [
      '-c',
      'cd "$1" && find . | cpio --create --format=newc --owner=0:0 --quiet > "$2"',
      'sh',
      folder,
      archive,
    ],
    { stdio: 'inherit' },
  )
}

function archiveNames(archive: string): string[] {
  const text = execFileSync('sh', ['-c', 'cpio --list --quiet < "$1"', 'sh', archive], {
    encoding: 'utf8',
  })
  return text.split('\n').map((path) => basename(path))
}

/** ELF files below a folder: the addon and the small C programs. */
function binariesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1')))
}

function librariesOf(file: string): string[] {
  try {
    const text = execFileSync('ldd', [file], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return [...text.matchAll(/=> (\/\S+)/g)].map((match) => match[1] ?? '')
  } catch {
    return [] // a static program
  }
}

/** Changes with an upgrade of this machine's Xen libraries, which go into the image. */
function libraryVersion(): string {
  const folder = '/usr/lib/x86_64-linux-gnu'
  return readdirSync(folder)
    .filter((file) => /^libxen.*\.so\.\d+\.\d/.test(file))
    .map((file) => `${file}:${statSync(join(folder, file)).mtimeMs}`)
    .join(' ')
}
