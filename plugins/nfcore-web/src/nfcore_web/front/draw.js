// The picture on the screen: as large as the window allows, and the part of it that the camera shows.

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

  // The largest canvas of the shape of `image` in `space`, whose sides are CSS pixels.
  resize(image, space) {
    const scale = Math.min(space.width / image.width, space.height / image.height);
    const [width, height] = [image.width, image.height].map((side) => Math.round(side * scale));
    const ratio = Math.min(globalThis.devicePixelRatio || 1, 3);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    if (this.part) this.draw(this.part);
  }

  draw(part) {
    this.part = part;
    const { left, top, side } = part;
    const { width, height } = this.picture;
    this.context.imageSmoothingEnabled = true;
    this.context.imageSmoothingQuality = "high";
    const shown = [left * width, top * height, side * width, side * height];
    this.context.drawImage(this.picture, ...shown, 0, 0, this.canvas.width, this.canvas.height);
  }
}
