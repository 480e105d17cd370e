// Asks the server whether the project's files changed, and reruns the page only when they did.
const watchers = new WeakMap()

const start = (root) => {
  const watcher = { timer: null }
  const look = async () => {
    clearTimeout(watcher.timer)
    try {
      const answer = await fetch(watcher.address, { cache: "no-store" })
      const { stamp } = answer.ok ? await answer.json() : {}
      if (stamp && stamp !== watcher.stamp) {
        watcher.stamp = stamp
        watcher.component.setTriggerValue("changed", stamp)
      }
    } catch {
      // The server is restarting: the page itself says so.
    }
    watcher.timer = setTimeout(look, watcher.every)
  }
  watcher.look = () => document.visibilityState === "visible" && look()
  document.addEventListener("visibilitychange", watcher.look)
  watcher.stop = () => {
    clearTimeout(watcher.timer)
    document.removeEventListener("visibilitychange", watcher.look)
    watchers.delete(root)
  }
  watcher.timer = setTimeout(look, 0)
  return watcher
}

export default function (component) {
  const root = component.parentElement
  const watcher = watchers.get(root) ?? start(root)
  watchers.set(root, watcher)
  watcher.component = component
  const { stamp, address, every } = component.data
  Object.assign(watcher, { stamp, address, every })
  return watcher.stop
}
