import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { InvalidInputError } from '../../core/errors.ts'
import { child, childrenIn, parseXml } from './xml-element.ts'

describe('XML (monitors.md DL-6)', () => {
  test('gives elements, attributes and text', () => {
    const root = parseXml(`<?xml version='1.0'?><a b='1'> <c>text</c><!-- no --><c/>tail</a>`, 'it')
    expect(root.attributes.get('b')).toBe('1')
    expect(child(root, 'c')?.text).toBe('text')
    expect(root.children).toHaveLength(2)
    expect(root.text).toBe('tail')
  })

  test('decodes the entities of XML and character references, and no others', () => {
    const root = parseXml(`<a b='&quot;&#10;&#x41;'>&lt;&amp;lt;&gt;&apos; &nope; &#1114112;</a>`, 'it')
    expect(root.attributes.get('b')).toBe('"\nA')
    expect(root.text).toBe(`<&lt;>' &nope; &#1114112;`)
  })

  test.each([
    ['a document type', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'],
    ['an element that is not closed', '<a><b></a>'],
    ['an element without an end', '<a>'],
    ['no element', 'junk'],
    ['nothing', ''],
    ['two roots', '<a/><b/>'],
    ['a name that would harm', '<a><__proto__>1</__proto__></a>'],
  ])('refuses %s', (_what, text) => {
    expect(() => parseXml(text, 'The document')).toThrow(InvalidInputError)
  })

  test('finds elements by their namespace, whatever their prefix and wherever it is declared', () => {
    const root = parseXml(
      `<d xmlns:up='u'><m><x:i xmlns:x='u'/><i xmlns='u'/><up:i/><y:i xmlns:y='other'/><i/></m></d>`,
      'it',
    )
    const inside = child(root, 'm')!
    expect(childrenIn('u', inside, [root]).map(({ element }) => element.name)).toEqual(['x:i', 'i', 'up:i'])
  })

  test('never throws anything but InvalidInputError, whatever it is given', () => {
    const scrap = fc.constantFrom(
      '<',
      '>',
      '/',
      'a',
      '&',
      ';',
      '#',
      '"',
      "'",
      '=',
      ' ',
      '<!',
      '[',
      ']',
      '?',
      '--',
      '<a>',
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(scrap, fc.string({ maxLength: 3 })), { maxLength: 30 }), (scraps) => {
        expect(readsOrRefuses(scraps.join(''))).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })
})

function readsOrRefuses(text: string): boolean {
  try {
    return typeof parseXml(text, 'it').name === 'string'
  } catch (error) {
    return error instanceof InvalidInputError
  }
}
