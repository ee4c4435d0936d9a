'use strict'

/**
 * `setupFilesAfterEnv: ['@mainstay/mockguard/jest']`. Jest runs this file inside the sandbox of each test file, through
 * its own transform, so it is plain CommonJS and short. The guard itself lives outside, in Node's own realm, where it is
 * loaded once per worker and sees the sandbox only as an object to look at.
 */
const host = jest.constructor.constructor('return globalThis')()
const { createRequire } = host.process.getBuiltinModule('node:module')
const fs = host.process.getBuiltinModule('node:fs')

// A published package holds compiled files, because Node strips no types under node_modules.
const base = `${__dirname}/..`
const compiled = `${base}/dist/jest/host.js`
const source = `${base}/src/jest/host.ts`
const useSource = !/[\\/]node_modules[\\/]/.test(fs.realpathSync(base)) && fs.existsSync(source)
const { openJestFile } = createRequire(__filename)(useSource ? source : compiled)

const handlers = globalThis[Symbol.for('EVENT_HANDLERS')]
const onEvent = openJestFile({ sandbox: globalThis, process, require, jest, testPath: expect.getState().testPath })
if (onEvent && handlers) handlers.push(onEvent)
