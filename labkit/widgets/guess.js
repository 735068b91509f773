// A field, its unit and a button. The kernel knows what a number is.

let fields = 0;

function render({ model, el }) {
  const id = `labkit-guess-${fields++}`;
  const row = document.createElement("div");
  row.className = "labkit-guess";
  row.innerHTML =
    `<label for="${id}"></label> <input id="${id}" type="text" inputmode="decimal"` +
    ' autocomplete="off"> <span></span> <button type="button">Lock in</button>' +
    ' <output aria-live="polite"></output>';
  const [label, field, unit, button, said] = row.children;
  label.textContent = `${model.get("prompt")} My guess:`;
  unit.textContent = model.get("unit");
  const tell = () => {
    const locked = model.get("locked");
    if (locked) field.value = model.get("text");
    field.readOnly = locked;
    button.disabled = locked;
    said.textContent = model.get("said");
  };
  const send = () => model.send({ text: field.value });
  button.addEventListener("click", send);
  field.addEventListener("keydown", ({ key, shiftKey }) => {
    if (key === "Enter" && !shiftKey) send();
  });
  model.on("change", tell);
  tell();
  el.append(row);
  return () => model.off("change", tell);
}

export default { render };
