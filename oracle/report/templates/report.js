"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const parse = (element, name) => JSON.parse(element.dataset[name] || "[]");

  for (const button of all(".copy")) {
    button.addEventListener("click", async () => {
      const text = button.parentElement.querySelector("pre");
      try {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = "Copy"; }, 1500);
      } catch {
        getSelection().selectAllChildren(text);
      }
    });
  }

  const show = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", show);
  show();

  const source = document.getElementById("data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const chosen = { kind: new Set(), dtype: new Set(), verdict: new Set() };
  const search = document.getElementById("search");
  const fits = (filter, value) => !chosen[filter].size || chosen[filter].has(value);
  const fitsAny = (filter, values) => !chosen[filter].size || values.some((value) => chosen[filter].has(value));
  const wrong = ["range", "missing", "exceeds", "crashed"];

  // Of an op and target, over the chosen storage types: the largest error, the largest share, and counts.
  const combine = (byDtype) => {
    const total = { most: null, share: 0, counts: {} };
    for (const [dtype, [most, counts]] of Object.entries(byDtype)) {
      if (!fits("dtype", dtype)) continue;
      if (most) {
        const [ulp, text, share] = most;
        if (!total.most || ulp > total.most.ulp) total.most = { ulp, text };
        total.share = Math.max(total.share, share);
      }
      for (const [verdict, n] of Object.entries(counts)) total.counts[verdict] = (total.counts[verdict] || 0) + n;
    }
    return total;
  };

  const mark = (cell, name, n) => {
    const small = document.createElement("small");
    const word = document.createElement("span");
    small.className = name;
    word.textContent = ` ${name}`;
    small.append(String(n), word);
    cell.append(small);
  };

  const draw = (cell, total) => {
    const failing = wrong.reduce((sum, verdict) => sum + (total.counts[verdict] || 0), 0);
    const number = document.createElement("b");
    number.textContent = total.most ? total.most.text : "–";
    cell.replaceChildren(number);
    if (failing) mark(cell, "wrong", failing);
    if (total.counts.waived) mark(cell, "waived", total.counts.waived);
    cell.style.setProperty("--s", Math.min(total.share, 1));
    cell.classList.toggle("bad", failing > 0);
    cell.classList.toggle("empty", !total.most);
    const has = Object.keys(total.counts);
    const visible = has.length > 0 && fitsAny("verdict", has);
    cell.classList.toggle("off", !visible);
    return visible;
  };

  const words = () => search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const texts = new WeakMap();
  const text = (element) => {
    if (!texts.has(element)) texts.set(element, element.textContent.toLowerCase());
    return texts.get(element);
  };

  const update = () => {
    const wanted = words();
    const named = (name) => wanted.every((word) => name.toLowerCase().includes(word));
    const groups = all("details.group[data-ops]");
    const kindOf = {};
    for (const row of all("#map tr[data-op]")) kindOf[row.dataset.op] = row.parentElement.dataset.kind;
    for (const group of groups) {
      const ops = parse(group, "ops");
      const verdicts = parse(group, "verdicts").concat(parse(group, "found"));
      group.hidden = !(ops.some((op) => fits("kind", kindOf[op])) && fitsAny("dtype", parse(group, "dtypes"))
        && fitsAny("verdict", verdicts) && wanted.every((word) => text(group).includes(word)));
    }
    const mentioned = new Set(wanted.length ? groups.filter((g) => !g.hidden).flatMap((g) => parse(g, "ops")) : []);
    const shown = new Set();
    for (const row of all("#map tr[data-op]")) {
      const op = row.dataset.op;
      let visible = false;
      for (const cell of all("td[data-target]", row)) {
        visible = draw(cell, combine(data[op][cell.dataset.target])) || visible;
      }
      visible = visible && fits("kind", kindOf[op]) && (named(op) || mentioned.has(op));
      row.hidden = !visible;
      if (visible) shown.add(op);
    }
    for (const body of all("#map tbody")) body.hidden = !all("tr[data-op]:not([hidden])", body).length;
    for (const element of all("details.op, .speed[data-op]")) element.hidden = !shown.has(element.dataset.op);
    for (const kind of all(".speeds .kind")) {
      const mine = all("[data-op]", kind);
      kind.hidden = mine.length > 0 && mine.every((line) => line.hidden);
    }
    for (const section of all("#ops, #failures, #waived")) {
      section.hidden = !all(":scope > details:not([hidden])", section).length;
    }
    document.querySelector(".nothing").hidden = shown.size > 0;
    const active = chosen.kind.size + chosen.dtype.size + chosen.verdict.size;
    const ops = all("#map tr[data-op]").length;
    document.getElementById("shown").textContent = shown.size < ops ? `${shown.size} of ${ops} ops` : "";
    document.getElementById("active").textContent = active ? `(${active})` : "";
  };

  for (const chips of all("[data-filter]")) {
    for (const button of all("button", chips)) {
      button.addEventListener("click", () => {
        const set = chosen[chips.dataset.filter];
        if (!set.delete(button.value)) set.add(button.value);
        button.setAttribute("aria-pressed", String(set.has(button.value)));
        update();
      });
    }
  }
  search.form.addEventListener("submit", (event) => event.preventDefault());
  let waiting = 0;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(update, 80); });
})();
