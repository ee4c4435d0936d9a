import type { Finding } from './finding.ts'

/** A JUnit document: one test case for each test or file that left mocks, the mocks as its properties. */
export function junitXml(findings: readonly Finding[]): string {
  const groups = Map.groupBy(findings, (finding) => `${finding.file}\n${finding.test ?? ''}`)
  const cases = [...groups.values()].map((group) => {
    const [first] = group
    const properties = group.flatMap((finding) => [
      property('mockguard.path', finding.path),
      property('mockguard.kind', finding.kind),
      property('mockguard.createdAt', finding.createdAt ?? ''),
      property('mockguard.fix', finding.fix),
    ])
    const message = group.map((finding) => finding.path).join(', ')
    return [
      `    <testcase classname="${escape(first!.file)}" name="${escape(first!.test ?? '(file)')}" file="${escape(first!.file)}">`,
      `      <properties>\n${properties.map((line) => `        ${line}`).join('\n')}\n      </properties>`,
      `      <failure type="DanglingMock" message="${escape(`Dangling mock: ${message}`)}"/>`,
      '    </testcase>',
    ].join('\n')
  })
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<testsuites>',
    `  <testsuite name="mockguard" tests="${groups.size}" failures="${groups.size}">`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n')
}

function property(name: string, value: string): string {
  return `<property name="${name}" value="${escape(value)}"/>`
}

function escape(text: string): string {
  const printable = Array.from(text, (letter) =>
    letter < ' ' && letter !== '\n' && letter !== '\t' ? '?' : letter,
  ).join('')
  return printable.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
