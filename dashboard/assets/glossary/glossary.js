// The glossary: a table of all metrics that is searched while one types, without asking the server.
const terms = new Map()

const element = (name, className, text) => {
  const made = document.createElement(name)
  if (className) made.className = className
  if (text !== undefined) made.textContent = text
  return made
}

const nameCell = (row, open) => {
  const cell = element("td", "name")
  const button = element("button", "", row.label)
  button.type = "button"
  button.onclick = () => open(row.name)
  cell.append(button, element("code", "", row.name))
  if (row.mark) cell.append(element("span", `mark ${row.tone}`, row.mark))
  return cell
}

const tableRow = (row, open) => {
  const made = element("tr")
  made.append(nameCell(row, open), element("td", "quiet", row.kind), element("td", "number strong", row.now))
  made.append(element("td", "number", row.whole), element("td", "quiet", row.owner), element("td", "words", row.words))
  made.onclick = (event) => { if (event.target.tagName !== "BUTTON") open(row.name) }
  return made
}

const groupRow = (family, count) => {
  const made = element("tr", "family")
  const cell = element("th", "", family)
  cell.colSpan = count
  cell.scope = "rowgroup"
  made.append(cell)
  return made
}

const draw = (root, component, input) => {
  const { rows, heads, words } = component.data
  const term = input.value.trim().toLowerCase()
  terms.set(component.key, input.value)
  const found = rows.filter((row) => term.split(/\s+/).every((part) => row.search.includes(part)))
  const body = root.querySelector("tbody")
  const open = (name) => component.setTriggerValue("open", name)
  body.replaceChildren()
  let family = null
  for (const row of found) {
    if (row.family !== family) body.append(groupRow(row.family, heads.length))
    family = row.family
    body.append(tableRow(row, open))
  }
  root.querySelector("table").hidden = !found.length
  root.querySelector(".none").hidden = Boolean(found.length)
  root.querySelector(".count").textContent =
    found.length === rows.length ? words.all : words.some.replace("{n}", found.length)
}

export default function (component) {
  const root = component.parentElement.querySelector("#glossary")
  const input = root.querySelector("input")
  const { heads, words } = component.data
  input.placeholder = words.search
  input.setAttribute("aria-label", words.search)
  root.querySelector(".none").textContent = words.none
  const line = root.querySelector("thead tr")
  line.replaceChildren(...heads.map((head) => {
    const cell = element("th", head.kind, head.title)
    cell.scope = "col"
    return cell
  }))
  if (!root.dataset.started) {
    input.value = terms.get(component.key) ?? ""
    root.dataset.started = "yes"
  }
  input.oninput = () => draw(root, component, input)
  draw(root, component, input)
}
