// What the page carries in its script elements.

export function json(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

export function bytes(id) {
  const text = atob(document.getElementById(id).textContent.trim());
  const data = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) data[i] = text.charCodeAt(i);
  return data;
}
