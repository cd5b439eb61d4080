/** Words that requests are made of: what clients say, and what none of them should. */
import type { Random } from './random.ts'

const NAMES = ['a', 'b', 'device', 'vif', '0', '1', 'state', 'backend', 'frontend', 'name', 'x@y']
const ROOTS = ['/f', '/f/deep/er', '/vm', '/libxl', '/tool', '/local/domain/0', '']
const ODD_PATHS = [
  '/',
  '//',
  '/f/',
  '/f//a',
  '/local/domain/',
  '/local/domain//x',
  '@introduceDomain',
  '@releaseDomain',
  '@releaseDomain/7',
  '@nothing',
  '@',
  '/f/@',
  'f.g',
  '/f/ü',
  '/f/ a',
  '/tool/xenstored',
  `/f/${'long'.repeat(500)}`,
  `/f${'/d'.repeat(900)}`,
  'relative/path',
]
const VALUES = ['', '1', '4', 'online', 'value', '\0\0', 'x'.repeat(100), 'y'.repeat(1900)]
const ODD_VALUES = ['z'.repeat(2100), 'z'.repeat(4000), '\xff\xfe', 'a\0b\0']
const TOKENS = ['', 't', 'token', '0xffff888003c1d2a0', 'x'.repeat(200)]
const PERMS = ['n0', 'r0', 'b0', 'n1', 'r7', 'w31001', 'b31002', 'n31001', 'r32757']
const ODD_PERMS = [
  '',
  'x0',
  'r',
  'r-1',
  'r0x10',
  'r65536',
  'r99999999999',
  'rr1',
  'n32752',
  'n31999',
]
const ODD_NUMBERS = [
  '',
  '-1',
  '007',
  '0x10',
  '65535',
  '65536',
  '4294967295',
  '4294967296',
  '1e3',
  'x',
  ' 1',
]
/** Commands that neither change what the daemon offers nor where it logs. */
const COMMANDS = [
  'help',
  'stats',
  'quota',
  'quota-soft',
  'quota|0',
  'quota|31001',
  'quota|31999',
  'print|text',
  'print',
  'nonsense',
  '',
  'help|x',
  'stats|x',
]

/** Domains that never live: what is done to them disturbs nobody. */
const STRANGERS = ['31999', '32000', '1', '7', '0', '32752']
/** Domains that live, for what may be done to them. */
const GUESTS = ['31001', '31002', '31003']
/** A directory with so many children that its list does not fit into a reply. */
const CROWDED = '/f/crowded'
const CHILDREN = 1200

export class Vocabulary {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  path(): string {
    const random = this.#random
    if (random.once(20)) return random.of(ODD_PATHS)
    if (random.once(20)) {
      return random.once(400) ? CROWDED : `${CROWDED}/child-${random.below(CHILDREN)}`
    }
    let path = random.of(ROOTS)
    const depth = 1 + random.below(3)
    for (let i = 0; i < depth; i++) path += `/${random.of(NAMES)}`
    // Without its first slash it is relative to the client's own directory.
    return random.once(3) ? path.slice(1) : path
  }

  directory(): string {
    return this.#random.once(20) ? CROWDED : this.path()
  }

  /** Near the root, where much happens below; or anything. */
  watchedPath(): string {
    const random = this.#random
    if (random.once(2)) return this.path()
    const path = `${random.of(ROOTS)}/${random.of(NAMES)}`
    return random.once(2) ? path : path.slice(1)
  }

  value(): string {
    const random = this.#random
    return random.once(30) ? random.of(ODD_VALUES) : random.of(VALUES)
  }

  token(): string {
    return this.#random.of(TOKENS) + this.#random.below(8)
  }

  perm(): string {
    return this.#random.once(10) ? this.#random.of(ODD_PERMS) : this.#random.of(PERMS)
  }

  number(): string {
    return this.#random.once(5) ? this.#random.of(ODD_NUMBERS) : `${this.#random.below(300)}`
  }

  domid(): string {
    const random = this.#random
    if (random.once(6)) return random.of(ODD_NUMBERS)
    return random.of(random.once(3) ? GUESTS : STRANGERS)
  }

  command(): string {
    return this.#random.of(COMMANDS).replaceAll('|', '\0')
  }
}
