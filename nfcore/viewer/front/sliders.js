// Sliders: the same moves for those who can't drag.

export class Sliders {
  // `form` is filled; `changed` is called after a slider has moved the camera.
  constructor(form, camera, changed) {
    Object.assign(this, { form, camera, changed });
    for (const [index, { label }] of this.all.entries()) {
      const name = `slider-${index}`;
      form.insertAdjacentHTML(
        "beforeend",
        `<label for="${name}">${label}</label><input type="range" id="${name}" step="any"><output for="${name}"></output>`,
      );
    }
    form.addEventListener("input", ({ target }) => this.slide(target));
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  get all() {
    const [low, high] = this.camera.zooms.map((value) => 100 * Math.exp(value));
    const zoom = { label: "Zoom", unit: "%", low, high, value: 100 * Math.exp(this.camera.zoom) };
    return [...this.camera.sliders, zoom];
  }

  // Show where the camera is now.
  show() {
    if (this.form.hidden) return;
    for (const [index, { low, high, value, unit }] of this.all.entries()) {
      const input = this.form.querySelector(`#slider-${index}`);
      const step = Math.max((high - low) / 200, 1e-6);
      Object.assign(input, { min: low, max: high, step, disabled: high - low < 1e-6 });
      if (document.activeElement !== input) input.value = value;
      input.setAttribute("aria-valuetext", `${Math.round(value)}${unit}`);
      input.nextSibling.textContent = `${Math.round(value)}${unit}`;
    }
  }

  slide(input) {
    const index = Number(input.id.split("-")[1]);
    if (index < this.camera.sliders.length) this.camera.slide(index, Number(input.value));
    else this.camera.zoomBy(Math.log(Number(input.value) / 100) - this.camera.zoom);
    this.changed();
  }

  toggle(button) {
    this.form.hidden = !this.form.hidden;
    button.setAttribute("aria-expanded", String(!this.form.hidden));
    this.show();
  }
}
