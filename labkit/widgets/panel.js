// Draws what the kernel tells of a panel and sends back what the reader does. It decides
// nothing: the kernel knows what is allowed, how a value is written and what is safe.

let panels = 0;

function make(parent, name, attributes = {}, text = "") {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    node.setAttribute(key, value);
  }
  node.textContent = text;
  parent.append(node);
  return node;
}

// Text that is as it was is left alone, or a screen reader would say it again.
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

class Row {
  constructor(panel, parent, knob, id) {
    this.panel = panel;
    this.path = knob.path;
    this.stops = [];
    this.text = "";
    const row = make(parent, "div", { class: "labkit-row" });
    this.label = make(row, "label", { for: `${id}-slider`, id: `${id}-label` });
    this.slider = make(row, "input", {
      type: "range", id: `${id}-slider`, min: 0, step: 1,
    });
    this.field = make(row, "input", {
      type: "text", inputmode: "decimal", autocomplete: "off", spellcheck: "false",
      "aria-labelledby": `${id}-label`,
    });
    this.help = "";
    this.slider.addEventListener("input", () => this.slide());
    this.field.addEventListener("change", () => this.type());
    this.field.addEventListener("keydown", ({ key, shiftKey }) => {
      if (key === "Enter" && !shiftKey) this.type();
    });
    for (const event of ["focusin", "pointerenter"]) {
      row.addEventListener(event, () => panel.explain(this.help));
    }
    row.addEventListener("pointerleave", () => panel.explain(""));
    row.addEventListener("focusout", () => panel.explain(""));
  }

  describe(knob) {
    this.stops = knob.stops;
    this.slider.max = knob.stops.length - 1;
    write(this.label, knob.label);
    this.help = knob.help;
    this.label.title = knob.help;
    for (const node of [this.slider, this.field]) {
      node.setAttribute("aria-description", knob.help);
    }
  }

  slide() {
    const at = Number(this.slider.value);
    this.show(at, this.stops[at]);
    this.panel.send({ do: "set", path: this.path, text: this.text });
  }

  type() {
    if (this.field.value === this.text) return;
    this.text = this.field.value;
    this.panel.send({ do: "set", path: this.path, text: this.field.value });
  }

  show(at, text) {
    this.text = text;
    this.slider.value = at;
    this.slider.setAttribute("aria-valuetext", text);
    this.field.value = text;
    this.field.removeAttribute("aria-invalid");
  }

  refuse() {
    this.field.setAttribute("aria-invalid", "true");
  }
}

class Panel {
  constructor(model, el) {
    this.model = model;
    this.id = `labkit-${panels++}`;
    this.sent = 0;
    this.rows = new Map();
    this.node = make(el, "div", {
      class: "labkit-panel", role: "group", "aria-label": "Panel: sliders and a picture",
    });
    this.buttons();
    const rows = make(this.node, "div", { class: "labkit-rows" });
    for (const [n, knob] of model.get("knobs").entries()) {
      this.rows.set(knob.path, new Row(this, rows, knob, `${this.id}-${n}`));
    }
    this.hint = make(this.node, "div", { class: "labkit-hint", role: "alert" });
    this.verdicts = make(this.node, "output", { class: "labkit-verdicts", "aria-live": "polite" });
    const [wide, high] = model.get("size");
    this.picture = make(this.node, "div", { class: "labkit-picture" });
    this.picture.style.aspectRatio = `${wide} / ${high}`;
    this.said = make(this.node, "output", { class: "labkit-said", "aria-live": "polite" });
    this.guard = (event) => this.guardKeys(event);
    window.addEventListener("keydown", this.guard, true);
    this.heard = [];
    for (const [name, told] of Object.entries({
      knobs: this.tellKnobs, values: this.tellValues, presets: this.tellPresets,
      chips: this.tellChips, verdicts: this.tellVerdicts, picture: this.tellPicture,
      said: this.tellSaid, live: this.tellLive,
    })) {
      const hear = () => told.call(this, model.get(name));
      hear();
      model.on(`change:${name}`, hear);
      this.heard.push([`change:${name}`, hear]);
    }
    const end = () => this.end();
    model.on("comm_live_update", end);
    this.heard.push(["comm_live_update", end]);
  }

  // A control keeps its own keys, which JupyterLab would take for commands; Ctrl-S and
  // Shift-Enter are JupyterLab's. It looks for this attribute before any other listener.
  guardKeys({ target, key, ctrlKey, metaKey, shiftKey }) {
    if (!this.node.contains(target)) return;
    const isCommand = ctrlKey || metaKey || (shiftKey && key === "Enter");
    target.toggleAttribute("data-lm-suppress-shortcuts", !isCommand);
  }

  // A kernel that was restarted knows nothing of this panel.
  end() {
    this.tellSaid({ text: "The kernel has ended. Run this cell again.", wrong: true });
    for (const node of this.node.querySelectorAll("input, select, button")) {
      node.disabled = true;
    }
  }

  close() {
    window.removeEventListener("keydown", this.guard, true);
    for (const [event, hear] of this.heard) this.model.off(event, hear);
  }

  send(message) {
    this.sent += 1;
    this.model.send({ ...message, number: this.sent });
  }

  buttons() {
    const bar = make(this.node, "div", { class: "labkit-bar" });
    const named = make(bar, "label", {}, "preset ");
    this.preset = make(named, "select");
    this.preset.addEventListener("change", () => {
      this.send({ do: "preset", name: this.preset.value });
    });
    const reset = make(bar, "button", { type: "button" }, "Reset");
    reset.addEventListener("click", () => this.send({ do: "reset" }));
    this.run = make(bar, "button", { type: "button", class: "labkit-live" });
    this.run.addEventListener("click", (event) => {
      if (event.detail > 1) return; // the second half of a double click
      this.send({ do: this.model.get("live").state === "running" ? "cancel" : "live" });
    });
    this.chips = make(bar, "span", { class: "labkit-chips" });
    this.progress = make(bar, "progress", { max: 1, "aria-label": "live run" });
    this.figures = make(bar, "span", { class: "labkit-figures" });
  }

  tellKnobs(knobs) {
    for (const knob of knobs) this.rows.get(knob.path).describe(knob);
    if (this.model.get("values").at) this.tellValues(this.model.get("values"));
  }

  // What was sent after this answer left is newer than the answer.
  tellValues({ number, at, wrong }) {
    if (!at || (number < this.sent && number > 0)) return;
    let sentence = "";
    for (const [path, row] of this.rows) {
      if (wrong[path]) {
        row.refuse();
        sentence = wrong[path];
      } else {
        row.show(at[path].at, at[path].text);
      }
    }
    this.wrong = sentence;
    this.explain(this.helped);
  }

  // One line for what is wrong, else for what the control in hand does.
  explain(text = "") {
    this.helped = text;
    this.hint.classList.toggle("labkit-wrong", Boolean(this.wrong));
    write(this.hint, this.wrong || text);
  }

  tellPresets({ names, at, changed }) {
    if (!names) return;
    this.preset.replaceChildren();
    if (changed) {
      make(this.preset, "option", { value: "", selected: "", disabled: "" }, `${at}, changed`);
    }
    for (const name of names) make(this.preset, "option", { value: name }, name);
    this.preset.value = changed ? "" : at;
    this.preset.parentNode.hidden = names.length < 2;
  }

  tellChips(chips) {
    const had = this.chips.contains(document.activeElement);
    this.chips.replaceChildren();
    for (const { path, text } of chips) {
      const chip = make(this.chips, "button", {
        type: "button", class: "labkit-chip", "aria-label": `take off ${text}`,
        title: "set by the preset; a click takes it off",
      }, `${text} ×`);
      chip.addEventListener("click", () => this.send({ do: "drop", path }));
    }
    if (had) (this.chips.firstChild ?? this.preset).focus();
  }

  tellVerdicts(verdicts) {
    while (this.verdicts.children.length > verdicts.length) this.verdicts.lastChild.remove();
    while (this.verdicts.children.length < verdicts.length) {
      const line = make(this.verdicts, "div");
      make(line, "b");
      make(line, "span");
    }
    // Room for one sentence that takes two lines, so that the picture stands still.
    this.verdicts.style.minHeight = `${(verdicts.length + 1) * 17}px`;
    for (const [n, { safe, hop, text }] of verdicts.entries()) {
      const line = this.verdicts.children[n];
      line.className = safe ? "labkit-safe" : "labkit-unsafe";
      const [word, ...rest] = text.split(": ");
      write(line.firstChild, `${safe ? "✓" : "✗"} ${hop}: ${word}`);
      write(line.lastChild, rest.length ? `: ${rest.join(": ")}` : "");
    }
  }

  tellPicture(html) {
    this.picture.innerHTML = html;
  }

  tellSaid({ text, wrong }) {
    this.said.classList.toggle("labkit-wrong", Boolean(wrong));
    write(this.said, text ?? "");
  }

  tellLive({ state, label, share, text }) {
    const running = state === "running";
    this.run.hidden = state === "none";
    write(this.run, label ?? "Run live");
    this.node.classList.toggle("labkit-running", running);
    this.progress.value = share ?? 0;
    write(this.figures, running ? text ?? "" : "");
  }
}

function render({ model, el }) {
  const panel = new Panel(model, el);
  return () => panel.close();
}

export default { render };
