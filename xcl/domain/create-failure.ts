/** Failures of a creation that are its configuration's, and not Xen's. */
import { XenError } from '../../native/xen-error.ts'
import type { DomainConfig } from '../config/domain-config.ts'
import { ConfigError } from '../output/errors.ts'

/** Steps of the builder that fail because of the files they are given. */
const IMAGE_OPS: ReadonlySet<string> = new Set([
  'dom_kernel_file',
  'dom_module_file',
  'dom_parse_image',
])

/** What is done in dom0 for a device, and how it fails when a path or a bridge is not what it should be. */
const DEVICE_OPS: ReadonlySet<string> = new Set(['open_disk', 'join_bridge'])
const DEVICE_CODES: ReadonlySet<string> = new Set([
  'ENOENT',
  'EACCES',
  'EBUSY',
  'EISDIR',
  'ENOTBLK',
  'ENOTDIR',
  'ENODEV',
  'EROFS',
])

/** The error as the person who wrote the configuration is to hear it. */
export function explainedFailure(error: unknown, config: DomainConfig): unknown {
  if (!(error instanceof XenError)) return error
  if (DEVICE_OPS.has(error.op) && DEVICE_CODES.has(error.code)) {
    return new ConfigError(`${config.name}: ${error.message}`, undefined, hintFor(error))
  }
  if (!IMAGE_OPS.has(error.op) || error.code === 'ENOMEM') return error
  const other = config.type === 'pv' ? 'pvh' : 'pv'
  return new ConfigError(
    `${config.name} cannot be created from ${config.kernel} as ${config.type}: ${error.message}`,
    undefined,
    `is it another kind of kernel? try type = "${other}"`,
  )
}

function hintFor({ op, code }: XenError): string | undefined {
  if (op === 'join_bridge') return 'is there such a bridge? try: ip link show type bridge'
  return code === 'EBUSY' ? 'is it mounted in dom0?' : undefined
}
