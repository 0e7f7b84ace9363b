// Shows what the server tells of its lanes, sends the herd and reads the shared stream when asked to.
const button = document.getElementById('stampede')
const note = document.getElementById('note')
const stream = document.getElementById('stream')
/** ms after which the next reader comes. A browser has six connections to a server, and needs one for the figures. */
const NEXT_READER_AFTER = 700
const READERS = 3

/** One square a request: what it stands for is only a number, not this or that request. */
function drawHerd(box, { herd, waiting, answered }) {
  while (box.children.length < herd) box.append(document.createElement('i'))
  for (const [i, square] of [...box.children].entries()) {
    const state = i < answered ? 'answered' : i < answered + waiting ? 'waiting' : ''
    if (square.className !== state) square.className = state
  }
  box.setAttribute('aria-label', `${answered} of ${herd} requests are answered, ${waiting} wait`)
}

function drawLane(name, herd, lane) {
  const section = document.getElementById(name)
  for (const figure of ['runs', 'waiting', 'answered']) section.querySelector(`dd.${figure}`).textContent = lane[figure]
  section.querySelector('dd.slowest').textContent = lane.answered > 0 ? `${(lane.slowest / 1000).toFixed(2)} s` : '–'
  drawHerd(section.querySelector('.herd'), { herd, ...lane })
}

function describe({ herd, isRunning, without, with: shared }) {
  if (isRunning) return `${herd} requests down each lane…`
  if (shared.answered === 0) return ''
  const runs = shared.runs === 1 ? '1 query' : `${shared.runs} queries`
  return `${without.runs} queries without, ${runs} with.`
}

new EventSource('lanes').addEventListener('message', ({ data }) => {
  const state = JSON.parse(data)
  drawLane('without', state.herd, state.without)
  drawLane('with', state.herd, state.with)
  for (const figure of ['asked', 'words']) stream.querySelector(`dd.${figure}`).textContent = state.model[figure]
  button.setAttribute('aria-disabled', String(state.isRunning))
  const text = describe(state)
  if (note.textContent !== text) note.textContent = text
})

button.addEventListener('click', () => {
  if (button.getAttribute('aria-disabled') !== 'true')
    void fetch('stampede', { method: 'POST', headers: { 'X-Demo': '1' } })
})

let questions = 0
let wordsRead = 0

/** Writes what one reader is told, as it comes. */
function read(question, line) {
  const story = new EventSource(`story/${question}`)
  story.addEventListener('message', ({ data }) => {
    line.textContent += `${data} `
    stream.querySelector('dd.read').textContent = String(++wordsRead)
  })
  story.addEventListener('end', () => {
    story.close()
    line.className = 'ended'
  })
}

document.getElementById('ask').addEventListener('click', () => {
  const question = `${Date.now()}-${++questions}`
  const lines = Array.from({ length: READERS }, () => document.createElement('li'))
  stream.querySelector('.readers').replaceChildren(...lines)
  for (const [i, line] of lines.entries()) setTimeout(() => read(question, line), i * NEXT_READER_AFTER)
})
