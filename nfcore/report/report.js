// The report's few moving parts: the line between two pictures, defaults shown or not, and copying a command.

for (const view of document.querySelectorAll(".view")) {
  const [left, right, line] = ["select.left", "select.right", "input"].map((part) => view.querySelector(part));
  const pair = view.querySelector(".pair");

  const show = () => {
    for (const picture of pair.querySelectorAll("img")) {
      const { shows } = picture.dataset;
      picture.hidden = shows !== left.value && shows !== right.value;
      picture.classList.toggle("over", shows === right.value && shows !== left.value);
    }
  };
  const divide = () => {
    pair.style.setProperty("--at", `${line.value}%`);
    line.setAttribute("aria-valuetext", `${Math.round(line.value)}%`);
  };

  left.addEventListener("change", show);
  right.addEventListener("change", show);
  line.addEventListener("input", divide);
  show(); // a browser that goes back keeps what was chosen
  divide();
}

const defaults = document.getElementById("defaults");
if (defaults) {
  const groups = document.getElementById("groups");
  const show = () => groups.classList.toggle("brief", !defaults.checked);
  defaults.addEventListener("change", show);
  show();
}

for (const command of document.querySelectorAll(".command")) {
  const button = command.querySelector("button");
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command.querySelector("code").textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed here";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
}
