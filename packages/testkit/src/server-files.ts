import { readTemplate, renderFiles, writeConfigFiles, type RenderedFiles } from './config/config-files.ts'
import { TestkitError } from './errors.ts'
import { giveToUser } from './give-to-user.ts'
import { dictionaryOf } from './server-context.ts'
import type { ServerContext, ServerSpec } from './spec.ts'

/** The configuration files of a server: rendered anew for each start, remembered for messages and for the next start. */
export class ServerFiles<C extends object> {
  readonly #spec: ServerSpec<C>
  #rendered: RenderedFiles = {}

  constructor(spec: ServerSpec<C>) {
    this.#spec = spec
  }

  /** As the last start wrote them. */
  get rendered(): RenderedFiles {
    return this.#rendered
  }

  /** Renders and forgets: what is wrong is found before anything exists. Throws TK_CONFIG_PLACEHOLDER, TK_CONFIG_MISSING. */
  check(context: ServerContext<C>): void {
    this.#render(context)
  }

  /** Renders and writes, the last that is done before the server runs; returns the names. */
  write(context: ServerContext<C>): string[] {
    const rendered = this.#render(context)
    writeConfigFiles(context.etc, rendered, this.#rendered)
    this.#rendered = rendered
    if (this.#spec.user !== undefined) giveToUser(this.#spec.user, context)
    return Object.keys(rendered)
  }

  #render(context: ServerContext<C>): RenderedFiles {
    const { name: server, files = [], requireConfig = false } = this.#spec
    if (files.length === 0 && requireConfig) {
      throw new TestkitError('TK_CONFIG_MISSING', `server "${server}": no configuration (its list of files is empty)`)
    }
    const renderable = files.map(({ name, style, templateFile, content = '' }) => ({
      name,
      ...(style === undefined ? {} : { style }),
      content:
        templateFile !== undefined
          ? readTemplate(templateFile)
          : typeof content === 'function'
            ? () => content(context)
            : content,
    }))
    return renderFiles(renderable, dictionaryOf(context))
  }
}
