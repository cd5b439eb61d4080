/** What a sequence is played with: a daemon that serves, and the machine whose domains it sees. */
export interface DaemonUnderTest {
  readonly name: string
  readonly socketPath: string
  /** A reply comes before the events that its request has caused; otherwise behind them. */
  readonly repliesFirst?: boolean
  /** A domain that was released is unknown to it, and its end is not told of. */
  readonly forgetsReleased?: boolean
  /** Undefined: sockets only. */
  readonly machine: Machine | undefined
  /** Settled when its process has ended, for whatever reason. */
  readonly ended: Promise<unknown>
  stop(): Promise<void>
}

/** The domains that a daemon's guests are. */
export interface Machine {
  /** A domain that runs, and whose ring `tapPath` leads to once it is introduced. */
  make(domid: number): Promise<Guest>
  /** The domain shuts down, or crashes; it stays until it is destroyed. */
  end(domid: number, how: 'shutdown' | 'crash'): Promise<void>
  /** Settles when the domid is free again. */
  destroy(domid: number): Promise<void>
}

/** A domain as INTRODUCE takes it. */
export interface Guest {
  readonly gfn: bigint | number
  readonly port: number
  /** Unix socket: the guest's end of its ring. */
  readonly tapPath: string
}
