import { expect, test } from 'vitest'

import { Looks } from './looks.ts'

test('nobody asked, nothing is looked at', () => {
  expect(new Looks().take()).toBeUndefined()
})

test('subjects add up, each once, until they are looked at', () => {
  const looks = new Looks()
  looks.want(['a'])
  looks.want(['b', 'a'])
  expect(looks.take()).toEqual(['a', 'b'])
  expect(looks.take()).toBeUndefined()
})

test('the widest look wins, in whatever order they were asked for, and stands for the others', () => {
  const looks = new Looks()
  looks.want(['a'])
  looks.want('everywhere')
  looks.want('waking')
  expect(looks.take()).toBe('everywhere')
  expect(looks.take()).toBeUndefined()
  looks.want('waking')
  looks.want(['a'])
  expect(looks.take()).toBe('waking')
  expect(looks.take()).toBeUndefined()
})

test('of very many subjects all that is due is looked at', () => {
  const looks = new Looks()
  for (let subject = 0; subject < 65; subject += 1) looks.want([String(subject)])
  expect(looks.take()).toBe('waking')
  expect(looks.take()).toBeUndefined()
})
