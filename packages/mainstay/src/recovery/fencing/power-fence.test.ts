import { describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { GuestsDestroyedFence } from './guests-destroyed-fence.ts'
import { PowerFence, type PowerSwitch } from './power-fence.ts'

const options = { signal: AbortSignal.timeout(60_000) }

/** A switch that reads what it is told to, one after the other, and notes what it is asked. */
function switchThatReads(...readings: ('on' | 'off' | 'unknown')[]): PowerSwitch & { asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    powerOff: async (host) => void asked.push(`off ${host}`),
    readPower: async (host) => {
      asked.push(`read ${host}`)
      return readings.shift() ?? 'unknown'
    },
  }
}

function fenceWith(power: PowerSwitch): PowerFence {
  return new PowerFence({ method: 'simulated', power, clock: new ManualClock(5000) })
}

describe('a power fence (goals, principle 1)', () => {
  test('switches off, reads off twice, and says what it saw', async () => {
    const power = switchThatReads('off', 'off', 'on')
    const evidence = await fenceWith(power).cutOff('h', options)
    const seen = { at: 5000, source: 'simulated power of h', saw: 'off' }
    expect(evidence).toEqual([seen, seen])
    expect(power.asked).toEqual(['off h', 'read h', 'read h'])
  })

  test.each([
    ['says that it did and reads on', ['on'], 'reads on'],
    ['reads off once and then on', ['off', 'on'], 'reads on'],
    ['does not know', ['unknown'], 'reads unknown'],
    ['knew and does not know any more', ['off', 'unknown'], 'reads unknown'],
  ] as const)('is no proof when the switch %s', async (_what, readings, text) => {
    await expect(fenceWith(switchThatReads(...readings)).cutOff('h', options)).rejects.toMatchObject({
      code: 'MS_FENCE_FAILED',
      message: expect.stringContaining(text),
    })
  })

  test('is no proof when the switch cannot be asked', async () => {
    const power = switchThatReads('off', 'off')
    power.powerOff = async () => {
      throw new Error('no route to the BMC')
    }
    await expect(fenceWith(power).cutOff('h', options)).rejects.toThrow('no route to the BMC')
    expect(power.asked).toEqual([])
  })
})

describe('destroying all guests of a host', () => {
  test('is a proof of what was seen gone', async () => {
    const evidence = [{ at: 1, source: 'libvirtd of h', saw: 'guest g is gone' }]
    const asked: string[] = []
    const fence = new GuestsDestroyedFence({
      destroyAllGuests: async (host) => {
        asked.push(host)
        return evidence
      },
    })
    expect(await fence.cutOff('h', options)).toBe(evidence)
    expect([fence.method, asked]).toEqual(['guests-destroyed', ['h']])
  })

  test('is no proof when nothing was seen', async () => {
    const fence = new GuestsDestroyedFence({ destroyAllGuests: async () => [] })
    await expect(fence.cutOff('h', options)).rejects.toMatchObject({ code: 'MS_FENCE_FAILED' })
  })
})
