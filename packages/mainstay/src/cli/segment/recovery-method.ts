import type { RecoveryMethod } from '../../client/index.ts'
import { oneOf } from '../one-of.ts'

/** The same words as the client's list, which is not loaded for parsing a command line; the compiler compares them. */
const METHODS: Readonly<Record<RecoveryMethod, true>> = {
  auto: true,
  reserved_host: true,
  auto_priority: true,
  rh_priority: true,
}

const choice = oneOf(Object.keys(METHODS) as RecoveryMethod[])

export const recoveryMethodArgument = {
  ...choice,
  placeholder: 'RECOVERY_METHOD',
  brief: 'auto, reserved_host, auto_priority or rh_priority',
} as const

export const recoveryMethodFlag = {
  ...choice,
  kind: 'parsed',
  optional: true,
  placeholder: 'METHOD',
  brief: 'auto, reserved_host, auto_priority or rh_priority',
} as const
