/**
 * Whether nothing could be written, or not for certain, as opposed to a defect of what was to be written. The workflow
 * is left as it is then and is claimed again later.
 */
export function isStoreTrouble(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('MS_STORE_')
}
