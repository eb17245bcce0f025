"""What anybody can rely on in a page, as far as a machine can tell (WCAG 2.2, level AA)."""

from playwright.async_api import Page

# Each finding names the rule and the element; an empty list is a page without findings.
_FINDINGS = """(scheme) => {
  const found = [];
  const check = (good, rule, element) => {
    if (!good) found.push(`${scheme}: ${rule}: ${element?.outerHTML.slice(0, 80) ?? 'page'}`);
  };
  const all = (selector) => [...document.querySelectorAll(selector)];
  const seen = (element) => element.getClientRects().length > 0;
  const channels = (color) => {
    const numbers = color.match(/[\\d.]+/g).map(Number);
    return numbers.length > 3 ? numbers : [...numbers, 1];
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color[3] === 1) return color;
      if (color[3] > 0) check(false, 'ground cannot be computed', at);
    }
    return [255, 255, 255, 1];
  };
  const luminance = (color) => {
    const [red, green, blue] = color.slice(0, 3).map((value) => value / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const hasText = (element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());

  const isDark = luminance(ground(document.body)) < 0.2;
  check(isDark === (scheme === 'dark'), 'ground follows the scheme', document.body);
  check(document.documentElement.lang, '3.1.1 language');
  check(document.title.trim(), '2.4.2 title');
  check(all('h1').length === 1, '1.3.1 one h1');
  check(all('main').length === 1, '1.3.1 one main');
  check(document.documentElement.scrollWidth <= innerWidth, '1.4.10 horizontal scrolling');
  for (const field of all('input:not([type=hidden]), select, textarea')) {
    const labels = [...field.labels].filter((label) => seen(label) && label.innerText.trim());
    check(labels.length === 1, '3.3.2 label', field);
    check(field.autocomplete, '1.3.5 purpose', field);
    check(contrast(channels(getComputedStyle(field).borderTopColor), ground(field.parentElement))
      >= 3, '1.4.11 border', field);
    for (const id of (field.getAttribute('aria-describedby') ?? '').split(/\\s+/).filter(Boolean))
      check(document.getElementById(id), `1.3.1 description ${id}`, field);
  }
  for (const button of all('button, input, main > a')) {
    const { width, height } = button.getBoundingClientRect();
    check(!seen(button) || (width >= 24 && height >= 24) || button.matches('a'),
      '2.5.8 target size', button);
  }
  for (const button of all('button, a')) check(button.innerText.trim(), '4.1.2 name', button);
  for (const element of all('body *').filter(seen).filter((one) =>
    hasText(one) || one.matches('input'))) {
    const ratio = contrast(channels(getComputedStyle(element).color), ground(element));
    check(ratio >= 4.5, `1.4.3 contrast ${ratio.toFixed(2)}`, element);
  }
  const ids = all('[id]').map((element) => element.id);
  check(new Set(ids).size === ids.length, '4.1.1 ids are unique');
  return found;
}"""
_STOPS = """() => [...document.querySelectorAll('a, button, input:not([type=hidden]), [tabindex]')]
  .map((element) => element.name || element.tagName.toLowerCase())"""
_FOCUS = """() => {
  const element = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  const shown = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
  return (element.name || element.tagName.toLowerCase()) + (shown ? '' : ' without outline');
}"""


async def findings(page: Page) -> list[str]:
    """Return what is wrong with a page, in light and in dark: the rule and the element."""
    found = []
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        found += await page.evaluate(_FINDINGS, scheme)
    return found


async def stops(page: Page) -> list[str]:
    """Return where the keyboard should stop, in the order of reading."""
    return list(await page.evaluate(_STOPS))


async def walk(page: Page, steps: int) -> list[str]:
    """Press Tab so often; return where the keyboard stopped, and where nothing showed it."""
    return [await _step(page) for _ in range(steps)]


async def _step(page: Page) -> str:
    await page.keyboard.press("Tab")
    return str(await page.evaluate(_FOCUS))
