export * from './cloud.ts'
export * from './faults.ts'
export * from './provider.ts'
