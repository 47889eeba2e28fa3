// The picture on the screen: as large as the window allows, and the part of it that the camera shows.

// The sides in CSS pixels of the largest picture of this shape in a space.
export function fitted(width, height, space) {
  const scale = Math.min(space.width / width, space.height / height);
  return { width: Math.round(width * scale), height: Math.round(height * scale) };
}

// Keeps the last picture and draws it again when the part or the canvas changes.
export class Screen {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.picture = document.createElement("canvas");
  }

  show(pixels, width, height) {
    Object.assign(this.picture, { width, height });
    this.picture.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
  }

  showBitmap(bitmap) {
    Object.assign(this.picture, { width: bitmap.width, height: bitmap.height });
    this.picture.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
  }

  resize(size) {
    const ratio = Math.min(globalThis.devicePixelRatio || 1, 3);
    this.canvas.style.width = `${size.width}px`;
    this.canvas.style.height = `${size.height}px`;
    this.canvas.width = Math.round(size.width * ratio);
    this.canvas.height = Math.round(size.height * ratio);
  }

  draw({ left, top, side }) {
    const { width, height } = this.picture;
    this.context.imageSmoothingEnabled = true;
    this.context.imageSmoothingQuality = "high";
    const part = [left * width, top * height, side * width, side * height];
    this.context.drawImage(this.picture, ...part, 0, 0, this.canvas.width, this.canvas.height);
  }
}
