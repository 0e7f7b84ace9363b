// Shows what the server tells of its two lanes, and sends the herd when asked to.
const button = document.getElementById('stampede')
const note = document.getElementById('note')

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
  button.setAttribute('aria-disabled', String(state.isRunning))
  const text = describe(state)
  if (note.textContent !== text) note.textContent = text
})

button.addEventListener('click', () => {
  if (button.getAttribute('aria-disabled') !== 'true')
    void fetch('stampede', { method: 'POST', headers: { 'X-Demo': '1' } })
})
