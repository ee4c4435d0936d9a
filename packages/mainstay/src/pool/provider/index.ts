export * from './errors.ts'
export type * from './provider.ts'
export * from './tags.ts'
