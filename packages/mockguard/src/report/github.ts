import type { Finding } from './finding.ts'

/** Workflow commands that GitHub shows beside the line of code. */
export function githubAnnotations(findings: readonly Finding[]): string[] {
  return findings.map((finding) => {
    const [file, line] = placeOf(finding)
    const place = line === null ? `file=${property(file)}` : `file=${property(file)},line=${line}`
    const who = finding.test ?? 'this file'
    const message = `${finding.path} is still mocked after ${who} (${finding.kind}). Fix: ${finding.fix}`
    return `::error ${place},title=Dangling mock::${data(message)}`
  })
}

function placeOf(finding: Finding): readonly [string, number | null] {
  const created = finding.createdAt === null ? null : /^(.*):(\d+)$/.exec(finding.createdAt)
  return created ? [created[1]!, Number(created[2])] : [finding.file, finding.line]
}

function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}
