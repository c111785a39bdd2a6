// Finds what a person with a keyboard or a screen reader could not use. tests/accessibility.py runs it in the page.
//
// Contrast and the names of elements are computed as the standards define them: "Contrast ratio" of WCAG 2.1, and the
// parts of "Accessible Name and Description Computation" that the page needs.
() => {
  const problems = [];
  const modal = document.querySelector("dialog[open]");
  const root = modal ?? document.body;
  const elements = [...root.querySelectorAll("*")].filter((element) =>
    element.checkVisibility({ visibilityProperty: true, opacityProperty: true }),
  );

  function report(problem, element) {
    const text = (element.textContent ?? "").trim().slice(0, 40);
    problems.push(`${problem}: ${element.localName}.${element.getAttribute("class") ?? ""} "${text}"`);
  }

  // ---- Names, and use by keyboard ----

  const NAMED = "a[href], button, input, select, textarea, summary, dialog, [role=group], section[aria-label]";

  function textOf(node) {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    if (node.nodeType !== Node.ELEMENT_NODE) return "";
    if (node.getAttribute("aria-hidden") === "true" || node.matches("select, input, textarea")) return "";
    return [...node.childNodes].map(textOf).join(" ");
  }

  function nameOf(element) {
    const ids = (element.getAttribute("aria-labelledby") ?? "").split(" ").filter(Boolean);
    const parts = [element.getAttribute("aria-label") ?? ""];
    parts.push(...ids.map((id) => textOf(document.getElementById(id))));
    parts.push(...[...(element.labels ?? [])].map(textOf));
    if (element.matches("a, button, summary")) parts.push(textOf(element));
    return parts.join(" ").trim();
  }

  function overflows(element) {
    const { overflowX, overflowY } = getComputedStyle(element);
    const scrolls = (overflow) => overflow === "auto" || overflow === "scroll";
    return (
      (scrolls(overflowX) && element.scrollWidth > element.clientWidth + 1) ||
      (scrolls(overflowY) && element.scrollHeight > element.clientHeight + 1)
    );
  }

  for (const element of elements) {
    if (element.matches(NAMED) && !nameOf(element)) report("no name", element);
    if (element.matches("img:not([alt]), svg:not([aria-hidden=true])")) report("no text alternative", element);
    if (element.matches("a:not([href])")) report("a link without a target", element);
    if (Number(element.getAttribute("tabindex")) > 0) report("positive tabindex", element);
    const reachable = element.hasAttribute("tabindex") || element.tabIndex >= 0;
    if (overflows(element) && !reachable && !element.querySelector("a[href], button, input")) {
      report("cannot be scrolled by keyboard", element);
    }
  }
  if (modal && !nameOf(modal)) report("no name", modal);

  // ---- Structure ----

  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index))) problems.push(`id used twice: ${id}`);
  for (const use of document.querySelectorAll("use")) {
    if (!document.querySelector(use.getAttribute("href"))) problems.push(`no such icon: ${use.getAttribute("href")}`);
  }
  for (const list of root.querySelectorAll("ul, ol")) {
    if ([...list.children].some((child) => child.localName !== "li")) report("not only list items", list);
  }
  if (document.querySelectorAll("h1").length !== 1) problems.push("the document has not one heading of level 1");
  let level = 1;
  for (const heading of elements.filter((element) => /^h[1-6]$/.test(element.localName))) {
    const found = Number(heading.localName[1]);
    if (found > level + 1) report("leaves out a level", heading);
    level = found;
  }
  if (!document.documentElement.lang || !document.title) problems.push("the document has no language or no title");
  if (document.querySelectorAll("main").length !== 1) problems.push("the document has not one main element");

  // ---- Contrast: 4.5 to 1 for texts, 3 to 1 for the borders of fields ----

  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

  function rgba(color) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  }

  function over(top, bottom) {
    return [0, 1, 2].map((index) => top[index] * top[3] + bottom[index] * (1 - top[3])).concat(1);
  }

  function backgroundOf(element) {
    const layers = [];
    for (let node = element; node; node = node.parentElement) {
      layers.push(rgba(getComputedStyle(node).backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    return layers.reduceRight((bottom, top) => over(top, bottom), [255, 255, 255, 1]);
  }

  function luminance(color) {
    const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const [red, green, blue] = color.slice(0, 3).map((value) => linear(value / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }

  function contrast(one, other) {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  }

  for (const element of elements) {
    const field = element.matches("select, textarea, input:not([type=checkbox])");
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const unseen = element.closest(".hidden, .skip, .toast, svg") || element.getBoundingClientRect().width <= 1;
    if ((!own && !field) || unseen || element.matches("option")) continue;
    const behind = backgroundOf(element);
    const ratio = contrast(over(rgba(getComputedStyle(element).color), behind), behind);
    if (ratio < 4.5) report(`contrast ${ratio.toFixed(2)}`, element);
    if (field && !element.matches("[type=search]")) {
      const border = contrast(rgba(getComputedStyle(element).borderTopColor), backgroundOf(element.parentElement));
      if (border < 3) report(`contrast of the border ${border.toFixed(2)}`, element);
    }
  }
  return problems;
};
