import type { Finding } from './finding.ts'

/** The findings as a person reads them (testkit.md B6). */
export function textOf(findings: readonly Finding[]): string {
  const blocks = findings.map(blockOf)
  const count = findings.length
  const closing = `${count} dangling ${count === 1 ? 'mock' : 'mocks'}. Members above need to be unmocked.`
  return [...blocks, closing].join('\n')
}

function blockOf(finding: Finding): string {
  const lines = [`Dangling mock: ${finding.path}${finding.creator ? `        [${finding.creator}]` : ''}`]
  const add = (label: string, text: string | null): void => {
    if (text) lines.push(`  ${label.padEnd(15)}  ${text}`)
  }
  const place = finding.line === null ? finding.file : `${finding.file}:${finding.line}`
  add(
    'left behind by',
    finding.test
      ? `${finding.test}        ${place}`
      : `${finding.file} (no single test: a hook, import time, or concurrent tests)`,
  )
  add('created at', finding.frames.slice(0, 4).join(' ← ') || null)
  add('original', `${finding.original}   current   ${finding.current}`)
  add('also reachable', finding.also.slice(0, 5).join(', ') || null)
  add('fix', finding.fix)
  add('note', finding.note ?? null)
  return lines.join('\n')
}
