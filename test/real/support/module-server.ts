import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { stripTypeScriptTypes } from 'node:module'
import { fileURLToPath } from 'node:url'

const ROOT = new URL('../../../', import.meta.url)

export interface ModuleServer extends AsyncDisposable {
  /** Its pages are of this origin. */
  readonly origin: string
  /** The address of a page that runs a script of `test/real/pages`. */
  page(script: string, query: Readonly<Record<string, string>>): string
}

/** Serves pages, and our sources as a browser takes them: without their types, and in no bundle. */
export async function moduleServer(): Promise<ModuleServer> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://server')
    if (pathname === '/') {
      const script = `<script type="module" src="/test/real/pages/${searchParams.get('script')}.ts"></script>`
      response.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html><title>events</title>${script}`)
      return
    }
    const file = fileURLToPath(new URL(`.${pathname}`, ROOT))
    const ours = ['packages/mainstay/src/', 'test/real/pages/'].some((folder) =>
      file.startsWith(fileURLToPath(ROOT) + folder),
    )
    const source = ours ? readFile(file, 'utf8') : Promise.reject(new Error(`${pathname} is not for pages.`))
    source.then(
      (text) => response.writeHead(200, { 'content-type': 'text/javascript' }).end(stripTypeScriptTypes(text)),
      () => response.writeHead(404).end(),
    )
  })
  const listening = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', listening.resolve)
  await listening.promise
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server does not listen on a port.')
  const origin = `http://127.0.0.1:${address.port}`
  return {
    origin,
    page: (script, query) => `${origin}/?${new URLSearchParams({ script, ...query }).toString()}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      await closed.promise
    },
  }
}
