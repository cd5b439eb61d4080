/** Which watches a connection has ever had, to tell its events from those it has no right to. */
export class WatchLog {
  readonly #pathsByToken = new Map<string, Set<string>>()
  /** Pairs of path and token that were found to be right. */
  readonly #known = new Set<string>()

  /** @param payload of a WATCH that was answered with OK: `path\0token\0…` */
  add(payload: string): void {
    const [path = '', token = ''] = payload.split('\0')
    const paths = this.#pathsByToken.get(token) ?? new Set()
    paths.add(path)
    this.#pathsByToken.set(token, paths)
  }

  /** Is an event with this payload one of a watch that there is, or was? */
  explains(payload: string): boolean {
    if (this.#known.has(payload)) return true
    const [path = '', token, rest] = payload.split('\0')
    if (token === undefined || rest !== '') return false
    const paths = this.#pathsByToken.get(token)
    if (paths === undefined) return false
    for (const watched of paths) {
      if (path === watched || path.startsWith(watched === '/' ? '/' : `${watched}/`)) {
        this.#known.add(payload)
        return true
      }
    }
    return false
  }
}
