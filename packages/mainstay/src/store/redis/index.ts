export * from './errors.ts'
export {
  openRedis,
  RedisConnection,
  type AskOptions,
  type RedisArgument,
  type RedisOptions,
  type RedisReply,
} from './connection.ts'
export { loadScript, readSource, scriptOf, type RedisScript } from './script.ts'
export { reconnectPauseMs, type ReconnectOptions } from './reconnect-pause.ts'
export { subscribeTo, type Subscriber } from './subscription.ts'
