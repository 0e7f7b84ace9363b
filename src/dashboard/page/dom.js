import { visible } from './format.js'

/**
 * What a cell of a table shows, its `kind` being its class.
 * @typedef {{ text?: string, kind?: string, tag?: string, share?: number }} Cell
 */

/** The element of the page that has that id. @param {string} id */
export function byId(id) {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`the page has no ${id}`)
  return element
}

/**
 * An element; what comes from outside becomes text, never markup.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} name
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(name, attributes, ...children) {
  const made = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value)
  made.append(...children)
  return made
}

/** Changes a text only where it differs, so that nothing is announced or selected anew. @param {Element} target @param {string} text */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text
}

/**
 * Makes the children of `parent` stand for `items`, in their order. A child that stands for the same item as before stays
 * the same: whoever has the focus keeps it.
 * @template T
 * @param {Element} parent
 * @param {readonly T[]} items
 * @param {{ id: (item: T) => string, make: (item: T) => Element, update: (child: Element, item: T) => void }} how
 */
function sync(parent, items, { id, make, update }) {
  const before = new Map(Array.from(parent.children, (child) => [child.getAttribute('data-id'), child]))
  let next = parent.firstElementChild
  for (const item of items) {
    const itemId = id(item)
    let child = before.get(itemId)
    if (child === undefined) {
      child = make(item)
      child.setAttribute('data-id', itemId)
    }
    before.delete(itemId)
    update(child, item)
    if (child === next) next = next.nextElementSibling
    else parent.insertBefore(child, next)
  }
  for (const child of before.values()) child.remove()
}

/**
 * The rows of a table, of which each cell is a text or the key.
 * @template {{ key?: string, shortened?: boolean }} T
 * @param {string} tableId
 * @param {readonly T[]} items
 * @param {(item: T) => readonly Cell[]} cells
 * @param {(item: T) => string} id
 * @param {(item: T) => Element} own makes what a cell of that kind shows, once
 */
export function syncTable(tableId, items, cells, id = (item) => String(item.key), own = () => element('span', {})) {
  const table = byId(tableId)
  const body = /** @type {Element} */ (table.querySelector('tbody'))
  table.dataset['empty'] = String(items.length === 0)
  sync(body, items, {
    id,
    make: (item) => {
      const row = element('tr', {})
      for (const cell of cells(item)) {
        row.append(cell.kind === 'own' ? element('td', { class: 'key-cell' }, own(item)) : makeCell(item, cell))
      }
      return row
    },
    update: (row, item) => {
      for (const [i, cell] of cells(item).entries()) updateCell(/** @type {Element} */ (row.children[i]), cell)
    },
  })
}

/** @param {{ key?: string, shortened?: boolean }} item @param {Cell} cell */
function makeCell(item, cell) {
  if (cell.kind === 'key') {
    const made = element('td', { class: 'key-cell' })
    if (item.key !== undefined) made.append(keyElement(item.key, item.shortened === true))
    if (cell.share !== undefined) made.append(element('span', { class: 'meter' }))
    return made
  }
  if (cell.tag !== undefined) return element('td', {}, element('span', { class: `tag ${cell.tag}` }))
  return element('td', cell.kind === undefined ? {} : { class: cell.kind })
}

/** @param {Element} made @param {Cell} cell */
function updateCell(made, { kind, text = '', tag, share }) {
  if (kind === 'own') return
  if (kind === 'key') {
    const meter = /** @type {HTMLElement | null} */ (made.querySelector('.meter'))
    if (meter !== null && share !== undefined) meter.style.width = `${Math.max(share * 100, 0.5)}%`
  } else if (tag !== undefined) {
    setText(/** @type {Element} */ (made.firstElementChild), text)
  } else {
    setText(made, text)
  }
}

/** A key that looks itself up; of a long one only the beginning is known, which is no key. @param {string} key @param {boolean} shortened */
function keyElement(key, shortened) {
  const text = visible(key)
  if (shortened) return element('span', { class: 'key', title: text }, text)
  const button = element('button', { type: 'button', class: 'key', title: text }, text)
  button.addEventListener('click', () => {
    button.dispatchEvent(new CustomEvent('lookup', { bubbles: true, detail: key }))
  })
  return button
}
