import { buildCommand } from '@stricli/core'

import { COMPLETE } from './complete-word.ts'
import { debugFlag } from './connection.ts'
import type { CliContext } from './context.ts'
import { oneOf } from './one-of.ts'

const SCRIPTS = {
  bash: `_mainstay() {
  mapfile -t COMPREPLY < <(mainstay ${COMPLETE} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f 1)
}
complete -o default -F _mainstay mainstay
`,
  zsh: `#compdef mainstay
_mainstay() {
  local -a described
  local completion brief
  while IFS=$'\\t' read -r completion brief; do
    described+=("\${completion//:/\\\\:}:\${brief}")
  done < <(mainstay ${COMPLETE} "\${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe mainstay described || _files
}
compdef _mainstay mainstay
`,
  fish: `complete -c mainstay -f -a '(mainstay ${COMPLETE} (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
} as const

type Shell = keyof typeof SCRIPTS
const SHELLS = Object.keys(SCRIPTS) as Shell[]

export const completion = buildCommand<{ readonly debug: boolean }, [Shell], CliContext>({
  docs: {
    brief: 'Print what makes a shell complete this program',
    fullDescription: [
      'bash:  mainstay completion bash > /etc/bash_completion.d/mainstay',
      'zsh:   mainstay completion zsh > "${fpath[1]}/_mainstay"',
      'fish:  mainstay completion fish > ~/.config/fish/completions/mainstay.fish',
    ].join('\n'),
  },
  parameters: {
    flags: debugFlag,
    positional: { kind: 'tuple', parameters: [{ ...oneOf(SHELLS), placeholder: 'SHELL', brief: 'bash, zsh or fish' }] },
  },
  func(_flags, shell) {
    this.process.stdout.write(SCRIPTS[shell])
  },
})
