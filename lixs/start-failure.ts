import { XenError } from '../native/xen-error.ts'

const EXIT_FAILED = 1
const EXIT_REFUSED = 5

/** The daemon cannot start; the message is one sentence for the person who tried. */
export class StartFailure extends Error {
  override readonly name = 'StartFailure'
  readonly code: number

  constructor(code: number, message: string, options?: { cause: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** Why a start failed, as an exit code and a sentence. */
export function explain(error: unknown): { readonly code: number; readonly message: string } {
  if (error instanceof StartFailure) return error
  if (error instanceof XenError || isSystemError(error)) {
    const { code } = error
    const message = error instanceof XenError ? error.message : describe(error)
    return code === 'EACCES' || code === 'EPERM'
      ? { code: EXIT_REFUSED, message: `${message}; only root may do this` }
      : { code: EXIT_FAILED, message }
  }
  return { code: EXIT_FAILED, message: error instanceof Error ? error.message : String(error) }
}

function describe({ syscall, path, code }: NodeJS.ErrnoException): string {
  return `cannot ${syscall} ${path ?? ''} (${code})`
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error
}
