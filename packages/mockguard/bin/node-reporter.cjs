'use strict'

/**
 * A reporter of node:test for `bisect`: each test that ran as a line of JSON, with its full name the way
 * `--test-name-pattern` is matched with it. A parent starts before its children and ends after them.
 */
module.exports = async function* nodeReporter(source) {
  const names = []
  for await (const { type, data } of source) {
    if (type === 'test:start') {
      names.length = data.nesting
      names.push(data.name)
    }
    if ((type !== 'test:pass' && type !== 'test:fail') || data.details?.type === 'suite') continue
    if (data.skip !== undefined || data.todo !== undefined) continue
    const name = [...names.slice(0, data.nesting), data.name].join(' ')
    yield `${JSON.stringify({ name, passed: type === 'test:pass' })}\n`
  }
}
