// The YAML editor of the Definitions page: CodeMirror 6 inside a Streamlit component.
// Build: npm install && npm run build  ->  editor.js, the file that the page loads.
import { autocompletion } from "@codemirror/autocomplete"
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands"
import { yaml } from "@codemirror/lang-yaml"
import { HighlightStyle, bracketMatching, indentUnit, syntaxHighlighting } from "@codemirror/language"
import { lintGutter, setDiagnostics } from "@codemirror/lint"
import { Compartment, EditorState } from "@codemirror/state"
import { EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view"
import { tags } from "@lezer/highlight"

const QUIET_MS = 250

const colours = HighlightStyle.define([
  { tag: tags.comment, color: "var(--st-gray-text-color, #6B7280)", fontStyle: "italic" },
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--st-blue-text-color, #1D4ED8)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--st-green-text-color, #0F7B5F)" },
  { tag: [tags.number, tags.bool, tags.keyword], color: "var(--st-orange-text-color, #C2410C)" },
])

const look = EditorView.theme({
  "&": { color: "var(--st-text-color)", backgroundColor: "var(--st-background-color)", fontSize: "13px", height: "100%" },
  "&.cm-focused": { outline: "2px solid var(--st-primary-color)", outlineOffset: "-1px" },
  ".cm-scroller": { fontFamily: "var(--st-code-font), monospace", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--st-text-color)" },
  ".cm-cursor": { borderLeftColor: "var(--st-text-color)" },
  ".cm-gutters": {
    backgroundColor: "var(--st-secondary-background-color)",
    color: "var(--st-gray-text-color, #6B7280)",
    borderRight: "1px solid var(--st-border-color)",
  },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--st-primary-color) 7%, transparent)" },
  ".cm-selectionBackground, &.cm-focused .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--st-primary-color) 22%, transparent) !important",
  },
  ".cm-tooltip": {
    backgroundColor: "var(--st-secondary-background-color)",
    color: "var(--st-text-color)",
    border: "1px solid var(--st-border-color)",
    borderRadius: "6px",
  },
})

// What may be typed at the cursor: field names at the start of a line, known names elsewhere.
const completions = (names) => (context) => {
  const word = context.matchBefore(/[\w]+/)
  if (!word && !context.explicit) return null
  return { from: word ? word.from : context.pos, options: names, validFor: /^\w*$/ }
}

const diagnosticsOf = (state, faults) =>
  faults
    .filter((fault) => fault.line <= state.doc.lines)
    .map((fault) => {
      const line = state.doc.line(Math.max(fault.line, 1))
      const from = Math.min(line.from + Math.max(fault.column - 1, 0), line.to)
      return { from, to: line.to, severity: fault.severity, message: fault.message }
    })

// A part of a file carries the line numbers of the file.
const numbered = (first) => lineNumbers({ formatNumber: (line) => String(line + (first ?? 1) - 1) })

const started = new WeakMap()

const start = (root, component) => {
  const editor = { component, timer: null, numbers: new Compartment() }
  const emit = (view) => editor.component.setStateValue("text", view.state.doc.toString())
  const watch = EditorView.updateListener.of((update) => {
    if (!update.docChanged || editor.hydrating) return
    clearTimeout(editor.timer)
    editor.timer = setTimeout(() => emit(update.view), QUIET_MS)
  })
  editor.view = new EditorView({
    parent: root,
    state: EditorState.create({
      doc: component.data.text,
      extensions: [
        editor.numbers.of(numbered(component.data.firstLine)), highlightActiveLine(), highlightActiveLineGutter(), history(), bracketMatching(),
        indentUnit.of("  "), yaml(), syntaxHighlighting(colours), lintGutter(), look, watch,
        EditorView.lineWrapping,
        autocompletion({ override: [completions(component.data.names ?? [])] }),
        EditorState.readOnly.of(Boolean(component.data.readOnly)),
        EditorView.contentAttributes.of({ "aria-label": component.data.label }),
        keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
      ],
    }),
  })
  return editor
}

export default function (component) {
  const root = component.parentElement.querySelector("#editor")
  let editor = started.get(root)
  if (!editor) {
    editor = start(root, component)
    started.set(root, editor)
  }
  editor.component = component
  root.style.height = `${component.data.height}px`
  const { text, revision, faults, firstLine } = component.data
  if (firstLine !== editor.firstLine) {
    editor.firstLine = firstLine
    editor.view.dispatch({ effects: editor.numbers.reconfigure(numbered(firstLine)) })
  }
  // Only a new revision replaces what is being typed: an answer to an earlier keystroke must not.
  if (revision !== editor.revision && text !== editor.view.state.doc.toString()) {
    editor.hydrating = true
    editor.view.dispatch({ changes: { from: 0, to: editor.view.state.doc.length, insert: text } })
    editor.hydrating = false
    component.setStateValue("text", text)
  }
  editor.revision = revision
  editor.view.dispatch(setDiagnostics(editor.view.state, diagnosticsOf(editor.view.state, faults ?? [])))
  return () => clearTimeout(editor.timer)
}
