/**
 * What XenStore answers when nobody else is there: the sequential specification that histories are
 * measured by. Written from the protocol's description, not from lixs; as plain as it can be.
 *
 * Names of a directory are sorted: in which order they come is no matter of transactions.
 *
 * @see docs/misc/xenstore.txt, docs/misc/xenstore-permissions
 */
export const OPS = ['read', 'write', 'mkdir', 'rm', 'directory', 'getPerms', 'setPerms'] as const

/** One request about a node, and what was answered. */
export interface Step {
  readonly op: (typeof OPS)[number]
  /** Absolute, never '/'. */
  readonly path: string
  /** A value, or permissions as `n0 b5`. */
  readonly argument: string
  answer: string
}

/** Who asks; dom0 is privileged. */
export type Asker = number

interface ModelNode {
  readonly value: string
  /** `n0`, `b5` … the owner's first. */
  readonly perms: readonly string[]
}

type Right = 'r' | 'w'

export class Model {
  readonly #nodes: Map<string, ModelNode>

  constructor(
    nodes: ReadonlyMap<string, ModelNode> = new Map([['/', { value: '', perms: ['n0'] }]]),
  ) {
    this.#nodes = new Map(nodes)
  }

  copy(): Model {
    return new Model(this.#nodes)
  }

  /** The same text for the same content. */
  fingerprint(): string {
    const lines = [...this.#nodes].map(([path, { value, perms }]) => `${path} ${value} ${perms}`)
    return lines.sort().join('\n')
  }

  /** @returns the value, names, permissions, `OK` or an error */
  apply(who: Asker, { op, path, argument }: Step): string {
    const node = this.#nodes.get(path)
    switch (op) {
      case 'read':
        return this.#readable(who, path, node) ?? node?.value ?? ''
      case 'directory':
        return this.#readable(who, path, node) ?? this.#namesBelow(path).sort().join(' ')
      case 'getPerms':
        return this.#readable(who, path, node) ?? (node?.perms ?? []).join(' ')
      case 'write':
        if (node === undefined) return this.#create(who, path, argument)
        if (!may(who, node, 'w')) return 'EACCES'
        this.#nodes.set(path, { ...node, value: argument })
        return 'OK'
      case 'mkdir':
        if (node === undefined) return this.#create(who, path, '')
        return may(who, node, 'w') ? 'OK' : 'EACCES'
      case 'rm':
        return node === undefined ? this.#removeMissing(who, path) : this.#remove(who, path, node)
      case 'setPerms':
        return this.#setPerms(who, path, node, argument.split(' '))
    }
  }

  #readable(who: Asker, path: string, node: ModelNode | undefined): string | undefined {
    if (node === undefined) return this.#missing(who, path, 'r')
    return may(who, node, 'r') ? undefined : 'EACCES'
  }

  /** Only who may at the nearest node above learns that there is none. */
  #missing(who: Asker, path: string, right: Right): string {
    return may(who, this.#nearest(path)[1], right) ? 'ENOENT' : 'EACCES'
  }

  #nearest(path: string): [string, ModelNode] {
    for (let at = parentOf(path); ; at = parentOf(at)) {
      const node = this.#nodes.get(at)
      if (node !== undefined) return [at, node]
    }
  }

  #create(who: Asker, path: string, value: string): string {
    const [top, nearest] = this.#nearest(path)
    if (!may(who, nearest, 'w')) return 'EACCES'
    const [owner = 'n0', ...others] = nearest.perms
    const perms = who === 0 ? nearest.perms : [`${owner[0]}${who}`, ...others]
    for (let at = path; at !== top; at = parentOf(at)) {
      this.#nodes.set(at, { value: at === path ? value : '', perms })
    }
    return 'OK'
  }

  #removeMissing(who: Asker, path: string): string {
    const error = this.#missing(who, path, 'w')
    return error === 'ENOENT' && this.#nodes.has(parentOf(path)) ? 'OK' : error
  }

  #remove(who: Asker, path: string, node: ModelNode): string {
    if (!may(who, node, 'w')) return 'EACCES'
    for (const at of [...this.#nodes.keys()]) {
      if (at === path || at.startsWith(`${path}/`)) this.#nodes.delete(at)
    }
    return 'OK'
  }

  #setPerms(who: Asker, path: string, node: ModelNode | undefined, perms: string[]): string {
    if (node === undefined) return this.#missing(who, path, 'w')
    if (who !== 0 && ownerOf(node) !== who) return 'EACCES'
    if (who !== 0 && Number(perms[0]?.slice(1)) !== who) return 'EPERM'
    this.#nodes.set(path, { ...node, perms })
    return 'OK'
  }

  #namesBelow(path: string): string[] {
    const names: string[] = []
    for (const at of this.#nodes.keys()) {
      if (at !== '/' && parentOf(at) === path) names.push(at.slice(at.lastIndexOf('/') + 1))
    }
    return names
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}

function ownerOf(node: ModelNode): number {
  return Number(node.perms[0]?.slice(1))
}

/** The owner and dom0 may everything; else the first entry that names the domain counts, else the owner's. */
function may(who: Asker, node: ModelNode, right: Right): boolean {
  if (who === 0 || ownerOf(node) === who) return true
  const [first, ...others] = node.perms
  const entry = others.find((perm) => Number(perm.slice(1)) === who) ?? first ?? 'n0'
  return entry[0] === 'b' || entry[0] === right
}
