// What is around the picture: its title, panels, full screen, help, and how to put the page into another one.

const PANELS = { film: "views", sliders: "adjust" }; // each with the button that opens it

const SOLID = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 3l8 4.500v9L12 21l-8-4.500v-9zM4 7.500l8 4.500 8-4.500M12 12v9"/></svg>';

const element = (id) => document.getElementById(id);

export class Window {
  constructor(viewer) {
    this.viewer = viewer;
    const { title, framed } = viewer.card;
    document.title = title;
    element("title").textContent = title;
    document.documentElement.classList.toggle("framed", framed);
    document.documentElement.classList.toggle("embedded", globalThis !== globalThis.top);
    element("screen").hidden = !document.fullscreenEnabled;
    document.addEventListener("fullscreenchange", () => {
      element("screen").setAttribute("aria-pressed", String(Boolean(document.fullscreenElement)));
    });
    element("copy").hidden = !navigator.clipboard;
    element("copy").addEventListener("click", () => this.copy());
    offerModels(viewer.card.models ?? {});
    this.goToAddress();
    addEventListener("hashchange", () => this.goToAddress());
  }

  // A view in the address, as `help` writes it.
  goToAddress() {
    const view = new URLSearchParams(location.hash.slice(1)).get("view")?.split(",").map(Number);
    if (view?.length === this.viewer.camera.view.length && view.every(Number.isFinite)) this.viewer.goTo(view);
  }

  // Open a panel, or close it if it is open; one is open at most.
  open(name) {
    for (const [panel, button] of Object.entries(PANELS)) {
      element(panel).hidden = panel !== name || !element(panel).hidden;
      element(button).setAttribute("aria-expanded", String(!element(panel).hidden));
    }
    this.viewer.sliders.show();
  }

  async fill() {
    try {
      if (document.fullscreenElement) await document.exitFullscreen();
      else if (document.fullscreenEnabled) await document.documentElement.requestFullscreen();
    } catch {
      this.viewer.hint("The browser allows no full screen here");
    }
  }

  // HTML that shows this view in another page, and the mesh next to it if there is one.
  get snippet() {
    const view = this.viewer.camera.view.map((value) => Number(value.toFixed(4)));
    const page = location.protocol === "file:" ? location.pathname.split("/").at(-1) : location.href.split("#")[0];
    const quoted = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
    const frame =
      `<iframe src="${quoted(page)}#view=${view}" title="${quoted(this.viewer.card.title)}" width="800" height="600" ` +
      'style="border: 0" allow="fullscreen; xr-spatial-tracking"></iframe>';
    const { glb, usdz } = this.viewer.card.models ?? {};
    if (!glb) return frame;
    const forApple = usdz ? ` ios-src="${quoted(usdz)}"` : "";
    return `${frame}\n<!-- the mesh: npm install @google/model-viewer -->\n<model-viewer src="${quoted(glb)}"${forApple} ar camera-controls></model-viewer>`;
  }

  help() {
    element("snippet").textContent = this.snippet;
    element("help").showModal();
  }

  async copy() {
    const button = element("copy");
    try {
      await navigator.clipboard.writeText(element("snippet").textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed here";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  }
}

// Offer the scene as a mesh, in files next to the page: AR Quick Look where the browser has it, else the GLB.
function offerModels({ glb, usdz }) {
  const quickLook = usdz && document.createElement("a").relList.supports("ar");
  if (!glb && !quickLook) return;
  const link = document.createElement("a");
  Object.assign(link, quickLook ? { rel: "ar", href: usdz } : { href: glb, download: glb });
  Object.assign(link, { id: "mesh", title: quickLook ? "As a mesh in your room" : "Save as a mesh (GLB)" });
  // Quick Look takes a link with nothing but an image in it.
  link.innerHTML = `<img alt="Mesh" src="data:image/svg+xml,${encodeURIComponent(labelled())}">`;
  element("ask").before(link);
}

// The button's picture with its word: in an image nothing of the page's style applies.
function labelled() {
  const colour = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
  const drawing = SOLID.replace("<svg ", `<svg x="19" width="20" height="20" fill="none" stroke="${colour}" stroke-width="1.7" stroke-linejoin="round" `);
  const word = `<text x="29" y="34" text-anchor="middle" font-family="system-ui, sans-serif" font-size="11" fill="${colour}">Mesh</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="58" height="38">${drawing}${word}</svg>`;
}
