// How quickly the page computes images of the photos' size: `#bench=SECONDS` in its address, for `nfcore bench`.

// `render(pose)` is the renderer's; what was found is logged, and `nfcore bench` reads it.
export async function bench({ camera, renderer, engine }, seconds) {
  const [{ width, height }] = renderer.card.sizes;
  await renderer.photo(camera.pose);
  await renderer.photo(camera.pose);
  console.log("nfcore bench: begins");
  const began = performance.now();
  let images = 0;
  let passed;
  do {
    camera.move(0.01, 0);
    await renderer.photo(camera.pose);
    images++;
    passed = (performance.now() - began) / 1000;
  } while (passed < seconds);
  const device = renderer.device ?? engine;
  console.log(`nfcore bench: ${JSON.stringify({ device, images, seconds: Number(passed.toFixed(3)), width, height })}`);
}
