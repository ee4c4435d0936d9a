export type * from './compute.ts'
export * from './errors.ts'
export * from './fence-certificate.ts'
