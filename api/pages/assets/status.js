// Draws the numbers anew every few seconds while somebody sees the page. What is open stays open,
// and the focus stays where it is. Without this the browser loads the page again.
const live = document.getElementById("live");
const verdict = document.getElementById("verdict");
const stale = document.getElementById("stale");
const { seconds } = document.currentScript.dataset;

async function fresh() {
  const answer = await fetch(location.href, { cache: "no-store" });
  if (answer.redirected) location.assign(answer.url);
  if (answer.status === 401 || answer.status === 403) leave();
  if (!answer.ok) throw new Error(answer.status);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return page.getElementById("live");
}

// Whoever may not see it any more is told so once, and not every few seconds.
function leave() {
  clearInterval(timer);
  live.replaceChildren();
  verdict.textContent = "Your roles do not permit this any more.";
}

async function redraw() {
  if (document.hidden) return;
  try {
    const found = await fresh();
    for (const open of live.querySelectorAll("details[open]"))
      found.querySelector(`[id="${open.id}"]`)?.setAttribute("open", "");
    const focused = live.contains(document.activeElement) && document.activeElement.id;
    live.replaceChildren(...found.childNodes);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    if (verdict.textContent !== found.dataset.verdict) verdict.textContent = found.dataset.verdict;
    stale.hidden = true;
  } catch {
    stale.hidden = !live.hasChildNodes();
  }
}

const timer = setInterval(redraw, seconds * 1000);
