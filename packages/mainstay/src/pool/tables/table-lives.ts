import type { PoolLives } from '../store-parts.ts'
import * as checks from '../transitions/check.ts'
import * as holds from '../transitions/hold.ts'
import * as leading from '../transitions/lead.ts'
import * as spawns from '../transitions/spawn.ts'
import * as standby from '../transitions/standby.ts'
import * as ends from '../transitions/terminate.ts'
import type { Turns } from './turns.ts'

/** How machines come, are checked, set aside and go. */
export function livesOf(turns: Turns): PoolLives {
  return {
    async requestSpawn(input) {
      return await turns.run(input.now, (turn) => spawns.requestSpawn(turn, input))
    },

    async building(input) {
      return await turns.run(input.now, (turn) => spawns.building(turn, input))
    },

    async spawned(input) {
      return await turns.run(input.now, (turn) => spawns.spawned(turn, input))
    },

    async spawnFailed(input) {
      return await turns.run(input.now, (turn) => spawns.spawnFailed(turn, input))
    },

    async addVm(input) {
      return await turns.run(input.now, (turn) => spawns.addVm(turn, input))
    },

    async startChecks(input) {
      return await turns.run(input.now, (turn) => checks.startChecks(turn, input))
    },

    async checkPassed(result) {
      return await turns.run(result.now, (turn) => checks.checkPassed(turn, result))
    },

    async checkFailed(result) {
      return await turns.run(result.now, (turn) => checks.checkFailed(turn, result))
    },

    async checkNotLaunched(result) {
      return await turns.run(result.now, (turn) => checks.checkNotLaunched(turn, result))
    },

    async checksGivenUp(input) {
      return await turns.run(input.now, (turn) => checks.checksGivenUp(turn, input))
    },

    async recheck(input) {
      return await turns.run(input.now, (turn) => checks.recheck(turn, input))
    },

    async resetDone(input) {
      return await turns.run(input.now, (turn) => standby.resetDone(turn, input))
    },

    async standBy(input) {
      return await turns.run(input.now, (turn) => standby.standBy(turn, input))
    },

    async wake(input) {
      return await turns.run(input.now, (turn) => standby.wake(turn, input))
    },

    async hold(input) {
      return await turns.run(input.now, (turn) => holds.hold(turn, input))
    },

    async unhold(input) {
      return await turns.run(input.now, (turn) => holds.unhold(turn, input))
    },

    async holdOnFailure(rule) {
      await turns.run(0, (turn) => turn.tables.saveFailureHold(rule))
    },

    async failureHolds() {
      return await turns.reads.failureHolds()
    },

    async dropFailureHold(id) {
      return await turns.place.transact((tables) => tables.dropFailureHold(id))
    },

    async drain(input) {
      return await turns.run(input.now, (turn) => holds.drain(turn, input))
    },

    async undrain(input) {
      return await turns.run(input.now, (turn) => holds.undrain(turn, input))
    },

    async terminate(input) {
      return await turns.run(input.now, (turn) => ends.terminate(turn, input))
    },

    async terminationAsked(input) {
      return await turns.run(input.now, (turn) => ends.terminationAsked(turn, input))
    },

    async markStuck(input) {
      return await turns.run(input.now, (turn) => ends.markStuck(turn, input))
    },

    async remove(input) {
      return await turns.run(input.now, (turn) => ends.remove(turn, input))
    },

    async lost(input) {
      return await turns.run(input.now, (turn) => ends.lost(turn, input))
    },

    async postponeRetirement(input) {
      return await turns.run(input.now, (turn) => leading.postponeRetirement(turn, input))
    },
  }
}
