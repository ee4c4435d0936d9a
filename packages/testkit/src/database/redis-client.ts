import { connect, type Socket } from 'node:net'
import { TestkitError } from '../errors.ts'

export type RedisReply = string | number | null | readonly RedisReply[]

/** Sends commands over one connection and returns their replies. Enough for verification; no pipelining by callers. */
export async function redisCommands(
  where: { host: string; port: number; password?: string | undefined; database?: number },
  commands: readonly (readonly string[])[],
  timeoutMs = 5000,
): Promise<RedisReply[]> {
  const setup: string[][] = []
  if (where.password !== undefined && where.password !== '') setup.push(['AUTH', where.password])
  if (where.database !== undefined && where.database > 0) setup.push(['SELECT', String(where.database)])
  const all = [...setup, ...commands]
  const socket = connect({ host: where.host, port: where.port })
  try {
    const replies = await converse(socket, all, timeoutMs)
    return replies.slice(setup.length)
  } finally {
    socket.destroy()
  }
}

async function converse(
  socket: Socket,
  commands: readonly (readonly string[])[],
  timeoutMs: number,
): Promise<RedisReply[]> {
  return await new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`Redis gave no answer within ${timeoutMs} ms`)))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('Redis closed the connection')))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      const replies: RedisReply[] = []
      let position = 0
      try {
        while (replies.length < commands.length) {
          const parsed = parseReply(received, position)
          if (parsed === undefined) return
          replies.push(parsed.value)
          position = parsed.next
        }
        resolve(replies)
      } catch (error) {
        reject(error)
      }
    })
    socket.write(commands.map(encode).join(''))
  })
}

function encode(command: readonly string[]): string {
  return `*${command.length}\r\n${command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`
}

/** RESP2; undefined while the reply is not complete. */
function parseReply(data: Buffer, start: number): { value: RedisReply; next: number } | undefined {
  const end = data.indexOf('\r\n', start)
  if (end < 0) return undefined
  const text = data.toString('utf8', start + 1, end)
  const next = end + 2
  switch (String.fromCodePoint(data[start] ?? 0)) {
    case '+':
      return { value: text, next }
    case ':':
      return { value: Number(text), next }
    case '-':
      throw new TestkitError('TK_DATABASE_FAILED', `Redis: ${text}`)
    case '$': {
      const length = Number(text)
      if (length < 0) return { value: null, next }
      return data.length < next + length + 2
        ? undefined
        : { value: data.toString('utf8', next, next + length), next: next + length + 2 }
    }
    case '*': {
      const items: RedisReply[] = []
      let position = next
      for (let index = 0; index < Number(text); index++) {
        const item = parseReply(data, position)
        if (item === undefined) return undefined
        items.push(item.value)
        position = item.next
      }
      return { value: items, next: position }
    }
    default:
      throw new TestkitError('TK_DATABASE_FAILED', `this is not Redis: ${JSON.stringify(text.slice(0, 40))}`)
  }
}
